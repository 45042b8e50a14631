# SPDX-License-Identifier: Apache-2.0
"""The same binaries on the real and on the virtual clock, held against each other: writes a report.

    make validate-clock VALIDATE="--go 1.11,1.13,1.15,1.16,latest --for 650s"

When memory falls is a race in some releases. A real run is one draw of it, so a value of a real run agrees where it lies
within the tolerance of one of the virtual repeats at least; the report shows the outcomes of both clocks with their counts.
CPU time is what the program used after it dropped its memory: loading costs what the machine's other load makes it cost. It is
not to be higher on the virtual clock: the median of its repeats is held against the real run.
khugepaged stays on the real clock: huge pages that it made are counted apart.
Exit code 0: all values agree; 1: some do not; 2: there is nothing to compare.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
MB = 1 << 20
TRACE = "gctrace=1"
GC_LINE = re.compile(r"^gc \d+ @")

Quantity = collections.namedtuple("Quantity", "key title unit divisor decimals absolute relative")
QUANTITIES = [
    Quantity("peak_rss_bytes", "Peak of RSS", "MB", MB, 1, 1, 0),
    Quantity("settled_rss_bytes", "Settled RSS, less huge pages", "MB", MB, 1, 1, 0),
    Quantity("lazyfree_settled_bytes", "LazyFree when settled", "MB", MB, 1, 1, 0),
    Quantity("first_fall_s", "First fall after the mark `dropped`", "s", 1, 1, 1, 0.01),
    Quantity("release_s", "Release after the mark `dropped`", "s", 1, 1, 1, 0.01),
    Quantity("gc", "Garbage collections", "", 1, 0, 0, 0),
    Quantity("gc_forced", "Forced garbage collections", "", 1, 0, 0, 0),
    Quantity("cpu_idle_s", "CPU time after the mark `dropped`", "s", 1, 3, 0.01, 0.05),
    Quantity("minor_faults", "Minor faults", "", 1, 0, 50, 0.01),
]
TOLERANCES = "1 MB for levels, 1 s or 1 % for times, none for garbage collections, 10 ms or 5 % upwards for CPU time, 50 or 1 % for faults"
MISSING = "none"  # what was looked for and is not there, as a fall that never came: an outcome like others


class Nothing(Exception):
    """There is nothing to compare, and why."""


# ---- campaigns


def scenario_text():
    """scenarios/allocate.yaml with each garbage collection traced; what is expected of the curves is not the question here."""
    text = (ROOT / "scenarios/allocate.yaml").read_text().split("\nexpect:")[0]
    for pattern, new in (
        (r"^name: .*", "name: allocate-clock"),
        (r"^  godebug: .*", f'  godebug: [{TRACE}, "madvdontneed=1,{TRACE}"]'),
    ):
        text, n = re.subn(pattern, new, text, flags=re.M)
        if n != 1:
            raise Nothing(f"scenarios/allocate.yaml has no line {pattern}")
    return text + "\n"


def newest_campaign(results):
    found = sorted(results.glob("*/campaign.json"))
    if not found:
        raise Nothing(f"memtide has left no campaign in {results}")
    return found[-1].parent


def run_campaign(options, clock, repeat):
    results = options.results.resolve() / clock
    with tempfile.TemporaryDirectory(prefix="memtide-validate-") as folder:
        path = pathlib.Path(folder) / "allocate-clock.yaml"
        path.write_text(scenario_text())
        command = [
            options.memtide.resolve(), "run", path, "--clock", clock, "--repeat", str(repeat), "--go", options.go, "--for", options.for_,
            "--out", results, "--no-plot",
        ]  # fmt: skip
        if options.jobs:
            command += ["--jobs", str(options.jobs)]
        done = subprocess.run(command, env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, stdin=subprocess.DEVNULL)
    if done.returncode not in (0, 1, 3):
        raise Nothing(f"memtide run --clock {clock} has failed with exit code {done.returncode}")
    return newest_campaign(results)


class Campaign:
    """What the report needs of a campaign: run.json of each run that was to be, by cell."""

    def __init__(self, path):
        self.path = path
        self.info = json.loads((path / "campaign.json").read_text())
        self.cells = {}
        for file in sorted(path.glob("*/*/run.json"), key=lambda f: (f.parent.parent.name, int(f.parent.name))):
            run = json.loads(file.read_text())
            if run["outcome"] != "not-applicable":
                self.cells.setdefault(cell_key(run), []).append(Run(run, file.parent))
        if not self.cells:
            raise Nothing(f"{path} has no runs")

    def runs(self):
        return [run for runs in self.cells.values() for run in runs]


def without_trace(godebug):
    return ",".join(s for s in godebug.split(",") if s != TRACE) or "default"


def cell_key(run):
    """(Go release, other settings): the same for a cell that was traced and one that was not."""
    others = {axis: value for axis, value in run["cell"].items() if axis != "go"}
    if "godebug" in others:
        others["godebug"] = without_trace(others["godebug"])
    version = run["go"]["version"] if run["go"] else run["cell"].get("go", "-")
    return version, " ".join(str(v) for _, v in sorted(others.items())) or "default"


def key_order(key):
    return [int(n) for n in re.findall(r"\d+", key[0])], key[1]


class Run:
    def __init__(self, run, folder):
        self.run = run
        self.values = {q.key: run["metrics"].get(q.key, MISSING) for q in QUANTITIES}
        self.thp = run["metrics"].get("thp_settled_bytes", 0)
        if self.values["settled_rss_bytes"] != MISSING:
            self.values["settled_rss_bytes"] -= self.thp
        self.values["cpu_idle_s"] = cpu_after(run, folder)
        traced = TRACE in run["cell"].get("godebug", "")
        lines = collections_in(folder / "stderr") if traced else None
        self.values["gc"] = len(lines) if traced else None
        self.values["gc_forced"] = sum(line.endswith("(forced)") for line in lines) if traced else None

    def trouble(self):
        """Why this run cannot be compared, or None."""
        ended = self.run["clock"].get("ended")
        if self.run["outcome"] != "ok":
            return f"{self.run['outcome']}: {self.run['why']}"
        return f"virtual time ended: {ended['why']}" if ended else None

    def program(self):
        return (self.run["program"] or {}).get("sha256")


def cpu_after(run, folder, mark="dropped"):
    """CPU time from the last probe before that mark to the end."""
    begins = [m["t_s"] for m in run["marks"] if m["name"] == mark]
    probes = folder / "probes.tsv.zst"
    if not begins or not probes.exists() or "cpu_s" not in run["metrics"]:
        return MISSING
    text = subprocess.run(["zstdcat", probes], capture_output=True, text=True, check=True).stdout
    names = next(line for line in text.splitlines() if line.startswith("# t_s"))[2:].split("\t")
    rows = (dict(zip(names, line.split("\t"))) for line in text.splitlines() if not line.startswith("#"))
    used = [float(row["cpu_s"]) for row in rows if row["cpu_s"] != "-" and float(row["t_s"]) <= begins[0] + 0.02]
    return run["metrics"]["cpu_s"] - used[-1] if used else MISSING


def collections_in(path):
    return [line for line in path.read_text(errors="replace").splitlines() if GC_LINE.match(line)] if path.exists() else []


# ---- comparison


def agree(q, one, other):
    if MISSING in (one, other):
        return one == other
    one, other = one / q.divisor, other / q.divisor
    return abs(one - other) <= max(q.absolute, q.relative * abs(one))


def outcomes(q, values):
    """[(value, count)]: values within the tolerance of the smallest of a group are one outcome, told by their median."""
    groups = []
    for value in sorted((v for v in values if v != MISSING)):
        if groups and agree(q, groups[-1][0], value):
            groups[-1].append(value)
        else:
            groups.append([value])
    told = [(shown(q, statistics.median(g)), len(g)) for g in groups]
    missing = sum(v == MISSING for v in values)
    return told + ([(MISSING, missing)] if missing else [])


def shown(q, value):
    return f"{value / q.divisor:.{q.decimals}f}"


Verdict = collections.namedtuple("Verdict", "key real virtual odd")  # values; odd: those of real that agree with none of virtual


def compare(q, key, real, virtual):
    """None: one of the two clocks has no record of it."""
    drawn = [r.values[q.key] for r in real if not r.trouble()]
    repeats = [r.values[q.key] for r in virtual if not r.trouble()]
    if not drawn or not repeats or None in drawn + repeats:
        return None
    if q.key == "cpu_idle_s":
        return Verdict(key, drawn, repeats, [v for v in drawn if is_above(q, repeats, v)])
    return Verdict(key, drawn, repeats, [v for v in drawn if not any(agree(q, v, other) for other in repeats)])


def is_above(q, repeats, real):
    known = [v for v in repeats if v != MISSING]
    return real == MISSING or not known or statistics.median(known) > real + max(q.absolute, q.relative * real)


class Comparison:
    def __init__(self, real, virtual):
        self.keys = sorted(set(real.cells) | set(virtual.cells), key=key_order)
        self.troubles = []  # (key, sentence)
        self.verdicts = {q.key: [] for q in QUANTITIES}
        for key in self.keys:
            self.add_cell(key, real.cells.get(key, []), virtual.cells.get(key, []))

    def add_cell(self, key, real, virtual):
        for clock, runs in (("real", real), ("virtual", virtual)):
            if not runs:
                self.troubles.append((key, f"there is no run on the {clock} clock"))
            for run in runs:
                if run.run["clock"]["kind"] != clock:
                    self.troubles.append((key, f"run {run.run['repeat']} was not on the {clock} clock"))
                if run.trouble():
                    self.troubles.append((key, f"run {run.run['repeat']} on the {clock} clock: {run.trouble()}"))
        if len({run.program() for run in real + virtual}) > 1:
            self.troubles.append((key, "the two clocks had different binaries"))
        for q in QUANTITIES:
            verdict = compare(q, key, real, virtual)
            if verdict:
                self.verdicts[q.key].append(verdict)

    def odd(self):
        return [(q, v) for q in QUANTITIES for v in self.verdicts[q.key] if v.odd]

    def cells_that_agree(self):
        return set(self.keys) - {key for key, _ in self.troubles} - {v.key for _, v in self.odd()}


# ---- report


def told_outcomes(q, values):
    known = [v for v in values if v != MISSING]
    if q.key == "cpu_idle_s" and len(known) > 1:
        return f"{shown(q, statistics.median(known))} s ({shown(q, min(known))} to {shown(q, max(known))})"
    unit = f" {q.unit}" if q.unit else ""
    counted = [(value if value == MISSING else value + unit, n) for value, n in outcomes(q, values)]
    return ", ".join(value + (f" x{n}" if len(values) > 1 else "") for value, n in counted)


def quantity_table(q, verdicts):
    """Long distributions go on in rows of their own."""
    rows = [["Go", "settings", "real", "virtual", "agrees"], ["---"] * 5]
    for v in verdicts:
        real, virtual = (textwrap.wrap(told_outcomes(q, values), 30) for values in (v.real, v.virtual))
        for i in range(max(len(real), len(virtual))):
            head = [*v.key, "no" if v.odd else "yes"] if i == 0 else ["", "", ""]
            rows.append([head[0], head[1], *(part[i] if i < len(part) else "" for part in (real, virtual)), head[2]])
    return ["| " + " | ".join(row) + " |" for row in rows]


def host_line(info):
    host = info["host"]
    return f"Linux {host['kernel']} on {host['machine']}, {host['cpus']} CPUs, {host['memory_bytes'] / (1 << 30):.1f} GB of memory"


def campaign_line(campaign):
    runs = [r.run for r in campaign.runs()]
    wall, target = (sum(r[key] or 0 for r in runs) for key in ("wall_s", "target_s"))
    return f"{len(runs)} runs, {target:.0f} s by the programs' clocks, {wall:.0f} s by ours, runs side by side counted one by one"


def command_line(campaign):
    """What runs such campaigns again."""
    info = campaign.info
    given = [f"--for {info['for_s']:g}s", f"--repeat {info['repeat']}"]
    if info["options"]["go"]:
        given.insert(0, f"--go {info['options']['go']}")
    if info["jobs"]:
        given.append(f"--jobs {info['jobs']}")
    return f'    make validate-clock VALIDATE="{" ".join(given)}"'


def paragraph(text):
    return textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False)


def item(text):
    return textwrap.wrap(text, 100, initial_indent="* ", subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def summary(comparison):
    n, m = len(comparison.cells_that_agree()), len(comparison.keys)
    values = [v for verdicts in comparison.verdicts.values() for v in verdicts]
    return f"{n} of {m} cells agree within {TOLERANCES}: {sum(not v.odd for v in values)} of {len(values)} values."


def quantities_table(comparison):
    rows = [["quantity", "values that agree"], ["---", "---"]]
    for q in QUANTITIES:
        verdicts = comparison.verdicts[q.key]
        rows.append([q.title, f"{sum(not v.odd for v in verdicts)} of {len(verdicts)}" if verdicts else "not recorded on both clocks"])
    return ["| " + " | ".join(row) + " |" for row in rows]


def khugepaged_line(real, virtual):
    told = [f"{sum(r.thp > 0 for r in c.runs())} of {len(c.runs())} runs on the {name} clock" for name, c in (("real", real), ("virtual", virtual))]
    return f"Huge pages when settled: in {told[0]}, in {told[1]}. khugepaged, a kernel thread, does not see the virtual clock."


def cpu_line(comparison):
    verdicts = [v for v in comparison.verdicts["cpu_idle_s"] if MISSING not in v.real + v.virtual]
    real, virtual = (sum(statistics.median(values) for values in zip_values) for zip_values in
                     ([v.real for v in verdicts], [v.virtual for v in verdicts]))
    return f"CPU time after the mark `dropped`, medians of all cells in sum: {real:.2f} s on the real clock, {virtual:.2f} s on the virtual one."


def disagreements(comparison):
    lines = []
    for key, sentence in comparison.troubles:
        lines += item(f"{' '.join(key)}: {sentence}")
    for q, v in comparison.odd():
        lines += item(f"{' '.join(v.key)}: {q.title}: real {told_outcomes(q, v.real)}; virtual {told_outcomes(q, v.virtual)}")
    return lines or ["Nothing."]


def sections(comparison):
    lines = []
    for q in QUANTITIES:
        verdicts = comparison.verdicts[q.key]
        if not verdicts:
            continue
        lines += ["", f"### {q.title}", ""]
        lines += quantity_table(q, verdicts)
    return lines


def report(real, virtual, comparison):
    return "\n".join([
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        "# The virtual clock, held against the real one",
        "",
        *paragraph(
            "The same binaries on both clocks. When memory falls is a race in some releases, and a real run is one draw of it: a value "
            "of a real run agrees where it lies within the tolerance of one virtual repeat at least. `x3`: so often; outcomes within "
            "the tolerance of each other are told as one, by their median; `none`: what did not happen, as a fall."
        ),
        "",
        *paragraph(f"**{summary(comparison)}**"),
        "",
        *quantities_table(comparison),
        "",
        *item(f"Host: {host_line(virtual.info)}."),
        *item(f"Date: {virtual.info['started'][:10]}. memtide {virtual.info['memtide']['version']}."),
        *item(f"Real clock: {campaign_line(real)}."),
        *item(f"Virtual clock: {campaign_line(virtual)}."),
        *item(khugepaged_line(real, virtual)),
        *item(cpu_line(comparison)),
        "",
        "To repeat it (`--real-campaign DIR` and `--virtual-campaign DIR` compare what was run before):",
        "",
        command_line(virtual),
        "",
        "## What did not agree",
        "",
        *disagreements(comparison),
        "",
        "## All values",
        *sections(comparison),
        "",
    ])  # fmt: skip


def parse_options():
    parser = argparse.ArgumentParser(description="Compares the virtual clock with the real one, and writes a report.")
    parser.add_argument("--memtide", type=pathlib.Path, default=ROOT / "build/memtide")
    parser.add_argument("--go", default="1.11..latest", help="Go releases, as memtide run has it")
    parser.add_argument("--for", dest="for_", default="650s", help="how long each run is observed")
    parser.add_argument("--repeat", type=int, default=20, help="runs of each cell on the virtual clock")
    parser.add_argument("--jobs", type=int, default=0, help="runs side by side at most")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "results/clock-validation", help="where campaigns are kept")
    parser.add_argument("--real-campaign", type=pathlib.Path, metavar="DIR", help="this one, instead of running")
    parser.add_argument("--virtual-campaign", type=pathlib.Path, metavar="DIR", help="this one, instead of running")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "harness/record/CLOCK-VALIDATION.md")
    return parser.parse_args()


def main():
    options = parse_options()
    try:
        virtual = Campaign(options.virtual_campaign or run_campaign(options, "virtual", options.repeat))
        real = Campaign(options.real_campaign or run_campaign(options, "real", 1))
    except (Nothing, OSError, ValueError) as e:
        print(f"validate_clock: {e}", file=sys.stderr)
        return 2
    comparison = Comparison(real, virtual)
    options.out.write_text(report(real, virtual, comparison))
    print(summary(comparison))
    print(*disagreements(comparison), sep="\n")
    return 0 if len(comparison.cells_that_agree()) == len(comparison.keys) else 1


if __name__ == "__main__":
    sys.exit(main())
