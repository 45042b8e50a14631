# SPDX-License-Identifier: Apache-2.0
"""What RSS consists of, as a figure: from records made by hand, and of a real program."""

import json
import re
import shutil
import subprocess

import pytest
from conftest import png_size

pytestmark = pytest.mark.skipif(not shutil.which("gnuplot") or not shutil.which("zstd"), reason="prerequisite: gnuplot-nox, zstd")

MB = 1 << 20
GO = "t_s heap_inuse_bytes heap_idle_bytes heap_released_bytes stacks_bytes runtime_bytes gc_goal_bytes gc_count goroutines threads_made".split()
SPLIT = (
    "t_s objects_bytes fragmentation_bytes stacks_bytes idle_bytes lazyfree_bytes runtime_bytes native_bytes thread_stacks_bytes "
    "files_bytes rss_bytes"
).split()


def write_series(path, kind, columns, rows):
    lines = [f"# memtide-{kind}/1", "# " + "\t".join(columns), "# " + "\t".join("s" if c == "t_s" else "bytes" for c in columns)]
    lines += ["\t".join("-" if v is None else f"{v:.6f}" if i == 0 else str(int(v)) for i, v in enumerate(row)) for row in rows]
    subprocess.run(["zstd", "-q", "-f", "-o", path / f"{kind}.tsv.zst"], input="\n".join(lines).encode() + b"\n", check=True)


def look_inside(run, seconds=20, splits=True, native_mb=0, taken_s=99):
    """A run of so many seconds whose heap of 100 MB is collected at 10 s, idle, and given back lazily at 15 s; the kernel takes it at taken_s."""
    def heap(t):
        return (100, 0, 0) if t < 10 else (10, 90, 0) if t < 15 else (10, 0, 90)

    def rss(t):
        return 100 + 10 + 5 + native_mb - (90 if t >= taken_s else 0)

    write_series(run, "samples", ["t_s", "rss_bytes", "usage_bytes"], [[t, rss(t) * MB, None] for t in range(seconds)])
    write_series(
        run, "go", GO,
        [[t / 100, *(v * MB for v in heap(t / 100)), 0, 10 * MB, 50 * MB, t // 500, 10, 5] for t in range(0, seconds * 100, 10)],
    )
    rows = []
    for t in range(seconds):
        used, idle, lazy = heap(t)
        lazy = lazy if t < taken_s else 0
        rows.append([t, used * MB, 0, 0, idle * MB, lazy * MB, 10 * MB, native_mb * MB, 0, 5 * MB, rss(t) * MB])
    if splits:
        write_series(run, "split", SPLIT, rows)
    for name in ("probes.tsv.zst", "marks.tsv"):
        (run / name).unlink(missing_ok=True)
    (run / "marks.tsv").write_text("# memtide-marks/1\n# t_s\tname\tby\n# s\tname\tby\n1.000000\tload\tprogram\n10.000000\tdropped\tprogram\n")
    info = json.loads((run / "run.json").read_text())
    info["target_s"] = seconds
    info["runtime"] = {"read": True, "why": None}
    (run / "run.json").write_text(json.dumps(info))


@pytest.fixture
def runs(copy_of_recorded):
    return sorted(p.parent for p in copy_of_recorded.path.glob("*/*/run.json"))


def variables(campaign, name="inside"):
    return (campaign.path / f"plots/data/{name}.gp").read_text()


def array(text, name):
    body = re.search(rf"^array {name}\[\d+\] = \[(.*)\]$", text, re.M)[1]
    return [quoted or number for quoted, number in re.findall(r"'((?:[^']|'')*)'|([^,'\s]+)", body)]


def blocks(campaign, panel=1, name="inside"):
    """RSS, the parts, the exact times, the collections: rows of numbers."""
    text = (campaign.path / f"plots/data/{name}-{panel:02}.tsv").read_text()
    text = "\n".join(line for line in text.split("\n") if not line.startswith("#"))
    return [
        [[float(v) for v in row.split("\t")] for row in block.split("\n") if row.strip() and not row.startswith("-")]
        for block in re.split(r"\n\n\n+", text)
    ]


def test_parts_are_those_of_the_splits(memtide, copy_of_recorded, runs):
    look_inside(runs[0])
    done = memtide("plot", copy_of_recorded.path)
    assert done.code == 0, done.err
    assert f"{copy_of_recorded.path}/plots/inside.png" in done.out.split()
    assert png_size(copy_of_recorded.path / "plots/inside.png")[0] == 1600
    rss, parts, exact, collections = blocks(copy_of_recorded)
    assert [t for t, in exact] == list(range(20))
    assert len(collections) == 3
    assert len(parts) > 50
    for row in parts:
        used, idle, lazy = (100, 0, 0) if row[0] < 10 else (10, 90, 0) if row[0] < 15 else (10, 0, 90)
        if row[0] not in (10, 15):  # both corners of a step
            assert [v / MB for v in row[1:]] == pytest.approx([used, 0, 0, idle, lazy, 10, 0, 0, 5], abs=1), row[0]
        assert min(row) >= 0 and sum(row[1:]) <= 115 * MB
    text = variables(copy_of_recorded)
    assert "exact at the ticks; between them from the runtime''s counters" in text
    assert array(text, "slot_name") == ["objects", "idle in Go''s heap", "lazily freed", "the runtime''s own", "files", "other"]
    assert "90\u00a0MB at the end" in array(text, "slot_text")[2]
    assert "lazily freed" in array(text, "fig_title")[0]
    assert array(text, "mark_text") == ["load", "dropped"]


def test_what_no_part_has_stays_white(memtide, copy_of_recorded, runs):
    """RSS rises by 50 MB between two splits, and falls again: nothing says what that was."""
    look_inside(runs[0])
    write_series(
        runs[0], "samples", ["t_s", "rss_bytes", "usage_bytes"],
        [[0, 115 * MB, None], [3.2, 165 * MB, None], [3.8, 115 * MB, None], [19, 115 * MB, None]],
    )
    assert memtide("plot", copy_of_recorded.path).code == 0
    _, parts, _, _ = blocks(copy_of_recorded)
    assert all(sum(row[1:]) <= 116 * MB for row in parts)
    assert "White below the line" in variables(copy_of_recorded)


def test_few_cells_have_a_figure_each(memtide, copy_of_recorded, runs):
    look_inside(runs[0])
    look_inside(runs[-1], native_mb=60)
    done = memtide("plot", copy_of_recorded.path)
    names = sorted(p.name for p in (copy_of_recorded.path / "plots").glob("inside*.png"))
    cells = sorted(p.name for p in copy_of_recorded.path.iterdir() if (p / "1").is_dir())
    assert names == sorted(["inside.png", *(f"inside-{c}.png" for c in cells)])
    assert {f"{copy_of_recorded.path}/plots/{n}" for n in names} <= set(done.out.split())
    text = variables(copy_of_recorded)
    assert array(text, "fig_n_panels") == ["2", "1", "1"]
    # Always the same colour for the same part
    hues = dict(zip(array(text, "slot_name"), array(text, "slot_hue")))
    assert hues["objects"] == "1" and hues["lazily freed"] == "5" and hues["native (C, mmap)"] == "7"


def many_releases(campaign, run, n, unlike):
    """Cells of so many releases, all as `run` is; unlike: how some look inside instead."""
    info = json.loads((campaign.path / "campaign.json").read_text())
    look_inside(run)
    cells = []
    for i in range(n):
        cell = f"go=1.{i}"
        shutil.copytree(run, campaign.path / cell / "1")
        if i in unlike:
            look_inside(campaign.path / cell / "1", **unlike[i])
        cells.append({**info["cells"][0], "id": cell, "settings": {"go": f"1.{i}"}, "go_version": f"1.{i}.9"})
    (campaign.path / "campaign.json").write_text(json.dumps({**info, "cells": cells}))


def panel_names(text):
    return [n.replace("\u00a0", " ") for n in array(text, "panel_name")]


def test_who_ends_unlike_others_has_a_panel_of_his_own(memtide, copy_of_recorded, runs):
    """Their curves are alike but for the last two seconds: what is said of the end would be wrong for one of them."""
    many_releases(copy_of_recorded, runs[0], 6, {0: {"taken_s": 18}})
    assert memtide("plot", copy_of_recorded.path).code == 0
    assert panel_names(variables(copy_of_recorded)) == ["Go 1.0", "Go 1.1 to 1.5"]


def test_many_cells_share_at_most_twelve_panels(memtide, copy_of_recorded, runs):
    """Forty releases of three kinds."""
    many_releases(copy_of_recorded, runs[0], 40, {i: {"native_mb": 100 if i < 30 else 300} for i in range(20, 40)})
    assert memtide("plot", copy_of_recorded.path).code == 0
    text = variables(copy_of_recorded)
    assert panel_names(text) == ["Go 1.0 to 1.19", "Go 1.20 to 1.29", "Go 1.30 to 1.39"]
    assert array(text, "panel_detail")[0] == "1.19.9 shown"
    assert "most alike share a panel" in text
    assert not list((copy_of_recorded.path / "plots").glob("inside-*.png"))


def test_without_splits_there_is_no_figure_and_a_reason(memtide, copy_of_recorded, runs):
    for run in runs:
        info = json.loads((run / "run.json").read_text())
        info["runtime"] = {"read": False, "why": "the program is not a Go program"}
        (run / "run.json").write_text(json.dumps(info))
        for name in ("split.tsv.zst", "go.tsv.zst"):
            (run / name).unlink(missing_ok=True)
    done = memtide("plot", copy_of_recorded.path)
    assert done.code == 0
    assert "no figure of what RSS consists of: the program is not a Go program" in done.err
    assert not list((copy_of_recorded.path / "plots").glob("inside*.png"))


@pytest.mark.parametrize("damage", ["cut", "garbage", "huge", "one"])
def test_damaged_series_are_drawn_as_far_as_they_go(memtide, copy_of_recorded, runs, damage):
    look_inside(runs[0])
    split = runs[0] / "split.tsv.zst"
    if damage == "cut":
        split.write_bytes(split.read_bytes()[:200])
    elif damage == "garbage":
        split.write_bytes(b"garbage")
    elif damage == "huge":
        write_series(runs[0], "split", SPLIT, [[t, *([2**63 + t] * 9), 2**63] for t in range(5)])
    else:
        write_series(runs[0], "split", SPLIT, [[5, *([MB] * 9), 9 * MB]])
    done = memtide("plot", copy_of_recorded.path)
    assert done.code == 0, done.err
    assert (copy_of_recorded.path / "plots/grid.png").exists()


def test_four_numbers_of_one_run(memtide, copy_of_recorded, runs):
    look_inside(runs[0])
    assert memtide("plot", copy_of_recorded.path).code == 0
    assert png_size(copy_of_recorded.path / "plots/numbers.png")[0] == 1600
    rss, usage, working_set, heap = blocks(copy_of_recorded, name="numbers")
    assert rss[0][1] == 115 * MB and heap[0][1] == 100 * MB and heap[-1][1] == 10 * MB
    # A line that nobody has is not in the key
    names = array(variables(copy_of_recorded, "numbers"), "slot_name")
    assert names[0] == "RSS" and names[3] and [bool(names[1]), bool(names[2])] == [bool(usage), bool(working_set)]
    subtitle = re.sub(r"\s+", " ", variables(copy_of_recorded, "numbers"))
    assert ("cgroup''s usage" in subtitle) == bool(usage) and ("kubelet" in subtitle) == bool(working_set)


def test_a_real_program(memtide, scenario, toolchains):
    path = scenario(
        name="real", program="allocate", limit="256MB", run="for: 400s, clock: virtual", extra='args: [-sizes, "60MB"]\naxes: {go: [latest]}'
    )
    done = memtide("run", path, plot=True)
    assert done.code == 0, done.err
    assert (done.campaign.path / "plots/inside.png").exists(), done.out
    rss, parts, exact, _ = blocks(done.campaign)
    assert len(exact) >= 3
    objects = {row[0]: row[1] for row in parts}
    assert max(objects.values()) > 55 * MB and objects[max(objects)] < 10 * MB
    peak = max(v for _, v in rss)
    assert all(min(row) >= 0 and sum(row[1:]) <= 1.02 * peak for row in parts)
