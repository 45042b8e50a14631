#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws the gallery: one figure a scenario and a page that explains them, from the newest corpus.

    harness/drivers/gallery.py --memtide=build/memtide [--corpus=DIR] [--out=plots/gallery]

The figure is the one of the campaign's own that tells most: the overlay where a handful of curves stands for all releases, else the
grid, a panel a release. A few stories have a second one, of what their memory consists of, and monitors has the four numbers that it is about.
Titles, sources and explanations are the scenarios'. A scenario whose outcome is a race is run for it once more, with its own repeats:
one run of a cell, as a corpus has it, does not show a spread.
"""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

STORIES = ["idle memory", "leaks", "native memory", "under pressure", "settings", "history", None]
OVERLAY_GROUPS = 5  # as many curves as one picture bears
INSIDE = ["allocate", "goroutine-leak", "cgo-malloc", "cache-growth", "image-worker"]  # stories told from inside, too
NUMBERS = ["monitors"]  # what it shows is not RSS alone
RACES = ["allocate-classic"]
GRID_PANELS = 4  # as few panels show everything as large as an overlay does


def newest_corpus(results):
    found = [p.parent for p in results.glob("*/corpus.json")]
    if not found:
        sys.exit(f"gallery: there is no corpus in {results}: make one with `make corpus`")
    return max(found, key=lambda p: (json.loads((p / "corpus.json").read_text())["started"], p.name))


def campaigns_of(corpus):
    info = json.loads((corpus / "corpus.json").read_text())
    found = [corpus / c["name"] for c in info["campaigns"] if (corpus / c["name"] / "campaign.json").exists()]
    return [(path, json.loads((path / "campaign.json").read_text())) for path in found]


def count(variables, name):
    match = re.search(rf"^{name} = (\d+)$", variables, re.M)
    return int(match[1]) if match else 0


def best_figure(variables):
    panels, groups = count(variables, "n_panels"), count(variables, "n_groups")
    return "overlay" if panels > GRID_PANELS and 2 <= groups <= OVERLAY_GROUPS else "grid"


def draw(memtide, campaign, scenario, out):
    """Copies the campaign's best figures; the names of what was copied, none where none could be drawn."""
    variables = campaign / "plots/data/figure.gp"
    if not variables.exists():
        subprocess.run([memtide, "plot", campaign], stdout=subprocess.DEVNULL)
    if not variables.exists():
        return []
    best = best_figure(variables.read_text())
    if scenario in NUMBERS and (campaign / "plots/numbers.png").exists():
        best = "numbers"
    copied = {f"{scenario}.png": best}
    if scenario in INSIDE:
        copied[f"{scenario}-inside.png"] = "inside"
    for name, figure in list(copied.items()):
        if (campaign / f"plots/{figure}.png").exists():
            shutil.copyfile(campaign / f"plots/{figure}.png", out / name)
        else:
            del copied[name]
    return list(copied)


def with_its_repeats(memtide, scenario, info, results):
    """A campaign of the scenario over the same releases."""
    releases = sorted({c["settings"]["go"] for c in info["cells"]}, key=lambda r: [int(n) for n in re.findall(r"\d+", r)])
    done = subprocess.run([memtide, "run", scenario, "--go", ",".join(releases), "--out", results], stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"gallery: `memtide run {scenario}` ended with exit code {done.returncode}")
    return next(results.glob("*/campaign.json")).parent


def linked(source):
    """golang/go#123 as a link to the issue."""
    return re.sub(r"\b([\w.-]+/[\w.-]+)#(\d+)", r"[\1#\2](https://github.com/\1/issues/\2)", source)


def entry(info, scenario, figures):
    name = info["scenario"]
    lines = [f"### {name}", "", f"**{info['title']}**", ""]
    if f"{name}.png" in figures:
        lines += [f"![{info['title']}]({name}.png)", ""]
    if info.get("explain"):
        lines += [" ".join(info["explain"].split()), ""]
    if f"{name}-inside.png" in figures:
        lines += [f"What the memory of {name} consists of:", "", f"![What the memory of {name} consists of]({name}-inside.png)", ""]
    repeat = f"Again: `build/memtide run {name}`."
    lines += [f"Source: {linked(scenario['source'])}. {repeat}" if scenario.get("source") else repeat, ""]
    return lines


def page(corpus, entries, has_picture):
    info = json.loads((corpus / "corpus.json").read_text())
    first = entries[0][1]
    host = first.get("host", {})
    lines = [
        "<!-- SPDX-License-Identifier: Apache-2.0 -->",
        "<!-- Made by `make gallery`: what is changed here by hand is lost. -->",
        "# Gallery",
        "",
        f"Every bundled scenario, one figure each. Recorded {info['started'][:10]} with memtide {first['memtide']['version']} on Linux "
        f"{host.get('kernel', '?')}, {host.get('cpus', '?')} CPUs; `make corpus` records all of it again, `make gallery` draws it.",
        "",
    ]
    if has_picture:
        lines += ["![What became of the memory, scenario by release](corpus.png)", ""]
    for story in STORIES:
        told = [e for e in entries if e[1].get("story") == story]
        if told:
            lines += [f"## {(story or 'others').capitalize()}", ""]
        for scenario, campaign, figures in told:
            lines += entry(campaign, scenario, figures)
    return "\n".join(lines).rstrip() + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memtide", type=pathlib.Path, default=pathlib.Path("build/memtide"))
    parser.add_argument("--corpus", type=pathlib.Path, help="its folder (default: the newest in results)")
    parser.add_argument("--results", type=pathlib.Path, default=pathlib.Path("results"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("plots/gallery"))
    options = parser.parse_args()

    corpus = options.corpus or newest_corpus(options.results)
    listed = subprocess.run([options.memtide.resolve(), "list", "--json"], capture_output=True, text=True)
    scenarios = {s["name"]: s for s in json.loads(listed.stdout or "[]")}
    options.out.mkdir(parents=True, exist_ok=True)
    entries = []
    for path, info in campaigns_of(corpus):
        with tempfile.TemporaryDirectory(prefix="memtide-gallery-") as results:
            if info["scenario"] in RACES:
                path = with_its_repeats(options.memtide.resolve(), info["scenario"], info, pathlib.Path(results))
            drawn = draw(options.memtide.resolve(), path, info["scenario"], options.out)
        print(f"{info['scenario']}{'' if drawn else ': no figure'}")
        entries.append((scenarios.get(info["scenario"], {}), info, drawn))
    if not entries:
        sys.exit(f"gallery: {corpus} has no campaigns")
    picture = corpus / "plots/corpus.png"
    if not picture.exists():
        subprocess.run([options.memtide.resolve(), "corpus", "show", corpus], stdout=subprocess.DEVNULL)
    if picture.exists():
        shutil.copyfile(picture, options.out / "corpus.png")
    (options.out / "README.md").write_text(page(corpus, entries, picture.exists()))
    print(options.out / "README.md")


if __name__ == "__main__":
    main()
