#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How often a corpus' mechanisms are right: what its scenarios expect against what memtide told, as tables.

    mechanisms.py [CORPUS] [--results=results] [--write=harness/analyse/MECHANISMS.md]

From the records alone. What a scenario expects stands in each run as `mechanism == ...` (harness/record/FORMAT.md). With --write the tables
take the place of those between the two marks in that file. Exit code 1 where one was told that is not expected (`unknown` is
counted apart), or where a run says nothing of what is expected.
"""

import argparse
import collections
import json
import pathlib
import re
import sys

MARKS = ("<!-- tables: mechanisms.py -->", "<!-- end of tables -->")
ORDER = "released lazyfree not-yet-scavenged live-heap goroutines threads native fragmentation thp runtime-overhead unknown".split()


def newest_corpus(results):
    found = []
    for path in pathlib.Path(results).glob("*/corpus.json"):
        found.append((json.loads(path.read_text()).get("started") or "", path.parent))
    if not found:
        sys.exit(f"mechanisms.py: there is no corpus in {results}: run `make corpus`, or name one")
    return max(found)[1]


def runs_of(corpus):
    for path in sorted(corpus.glob("*/*/*/run.json")):
        yield json.loads(path.read_text())


def expected_of(run):
    """The conditions on the mechanism that the run has: (words, told, holds)."""
    for e in run["expectations"]:
        if re.match(r"mechanism *(==|!=)", e["that"]):
            yield e["that"].removeprefix("mechanism").strip(), e["measured"], bool(e["holds"])


class Count:
    def __init__(self):
        self.one = collections.Counter()  # (expected, told), where one mechanism is expected
        self.other = collections.Counter()  # (condition, told), where one of several is, or any but one
        self.wrong = []  # sentences
        self.cells = self.silent = 0

    def add(self, run):
        conditions = list(expected_of(run))
        self.cells += 1
        self.silent += not conditions
        for words, told, holds in conditions:
            told = told or "nothing"
            one = re.fullmatch(r"== *([a-z-]+)", words)
            if one:
                self.one[one.group(1), told] += 1
            else:
                self.other[words, told] += 1
            if not holds:
                cell = ",".join(f"{k}={v}" for k, v in sorted(run["cell"].items()))
                self.wrong.append((run["scenario"], cell, words, told))


def matrix(count):
    rows = [m for m in ORDER if any(e == m for e, _ in count)]
    columns = [m for m in [*ORDER, "nothing"] if any(t == m for _, t in count)]
    lines = ["| expected \\ told | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    for row in rows:
        cells = [str(count[row, c]) if count[row, c] else "" for c in columns]
        lines.append(f"| `{row}` | " + " | ".join(f"**{n}**" if c == row and n else n for c, n in zip(columns, cells)) + " |")
    return lines


def several(count):
    lines = ["| expected | told |", "|---|---|"]
    for words in sorted({w for w, _ in count}):
        told = sorted(((n, t) for (w, t), n in count.items() if w == words), reverse=True)
        shown = words.replace("|", "\\|")
        lines.append(f"| `{shown}` | " + ", ".join(f"{t} {n}" for n, t in told) + " |")
    return lines


def tables(count, releases):
    right = sum(n for (e, t), n in count.one.items() if e == t)
    all_ = sum(count.one.values())
    unknown = sum(n for (e, t), n in count.one.items() if t == "unknown" and e != t)
    lines = [
        f"{count.cells} runs on {len(releases)} Go releases ({', '.join(releases)}). Where one mechanism is expected: {right} of {all_} are right, "
        f"{unknown} are `unknown`, {all_ - right - unknown} are wrong.",
        "",
        *matrix(count.one),
    ]
    if count.other:
        lines += ["", "Where one of several is expected, because it is a race or the two are about as large, or any but one:", "", *several(count.other)]
    if count.wrong:
        lines += ["", "Not as expected:", ""]
        lines += [f"* {s}, {c}: expected `{w}`, told {t}" for s, c, w, t in count.wrong]
    return lines


def version_key(version):
    return [int(n) for n in re.findall(r"\d+", version)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", type=pathlib.Path)
    parser.add_argument("--results", default="results")
    parser.add_argument("--write", type=pathlib.Path)
    options = parser.parse_args()

    corpus = options.corpus or newest_corpus(options.results)
    count, releases = Count(), set()
    for run in runs_of(corpus):
        if run["outcome"] == "not-applicable" or not run["metrics"]:
            continue
        count.add(run)
        if run["go"]:
            releases.add(re.match(r"\d+\.\d+", run["go"]["version"]).group())
    if not count.cells:
        sys.exit(f"mechanisms.py: no run in {corpus} was measured")

    text = "\n".join(tables(count, sorted(releases, key=version_key)))
    print(text)
    if count.silent:
        print(f"\n{count.silent} runs have no expectation of their mechanism.")
    if options.write:
        page = options.write.read_text()
        before, _, rest = page.partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        if not rest or not after:
            sys.exit(f"mechanisms.py: {options.write} has no marks {MARKS[0]} and {MARKS[1]}")
        options.write.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}")
    return 1 if count.wrong or count.silent else 0


if __name__ == "__main__":
    sys.exit(main())
