# SPDX-License-Identifier: Apache-2.0
"""The house's first question, answered by real toolchains: who gives dropped memory back, and who only marks it."""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import RELEASES, ROOT, newest_campaign, png_size, slack_s

MB = 1 << 20

pytestmark = pytest.mark.usefixtures("needs_root", "toolchains")


def minor(run):
    return int(run["go"]["version"].split(".")[1])


def key(run):
    return minor(run), run["cell"]["godebug"]


@pytest.fixture(scope="module")
def campaign(build, toolchains, tmp_path_factory):
    """(campaign, the finished memtide): the bundled scenario with figures, run once for all tests."""
    folder = tmp_path_factory.mktemp("releases")
    done = subprocess.run(
        [build / "memtide", "run", "free-os-memory", "--go", ",".join(RELEASES), "--repeat", "1", "--for", "8s",
         "--out", "results"],
        cwd=folder, capture_output=True, text=True, timeout=280, stdin=subprocess.DEVNULL,
        env={**os.environ, "MEMTIDE_HOME": str(ROOT)},
    )  # fmt: skip
    return newest_campaign(folder / "results"), done


@pytest.fixture(scope="module")
def runs(campaign):
    return {key(r): r for r in campaign[0].runs()}


def test_all_as_expected(campaign, runs):
    _, done = campaign
    broken = {k: e for k, r in runs.items() for e in r["expectations"] if not e["holds"]}
    assert broken == {}
    assert done.returncode == 0, done.stderr


def test_cells(campaign, runs):
    newest = max(m for m, _ in runs)
    assert newest >= 25
    assert set(runs) == {
        (11, "default"),
        *((m, setting) for m in (12, 13) for setting in ("default", "madvdontneed=1")),
        (16, "default"),
        (newest, "default"),
    }
    left_out = {c["settings"]["go"]: c["why"] for c in campaign[0].info["cells"] if not c["applicable"]}
    assert {"1.11", "1.16"} <= set(left_out)
    assert all(why for why in left_out.values())


def test_outcomes(runs):
    assert {k: r["outcome"] for k, r in runs.items()} == {k: "ok" for k in runs}
    for r in runs.values():
        assert r["ended_by"] == "supervisor" and r["oom_kills"] == 0
        assert 8 <= r["target_s"] < 9 + slack_s()
        assert r["cgroup"]["limit_bytes"] == 1 << 30
        assert [m["name"] for m in r["marks"]] == ["load", "loaded", "dropped", "freed"]
        assert r["sampling"]["statm_error_pages"] == 0


def test_peak(runs):
    for k, r in runs.items():
        assert 800 * MB < r["metrics"]["peak_rss_bytes"] < 830 * MB, k
        assert r["metrics"]["baseline_rss_bytes"] < 20 * MB, k


def test_lazyfree_or_released(runs):
    """MADV_FREE is the default in Go 1.12 to 1.15 and nowhere else."""
    for (release, setting), r in runs.items():
        m = r["metrics"]
        if release in (12, 13) and setting == "default":
            assert m["lazyfree_settled_bytes"] > 0.9 * m["peak_rss_bytes"], release
            assert m["released_share"] < 0.05
            assert "release_s" not in m and "first_fall_s" not in m and r["missing"]["release_s"]
            assert r["mechanism"] == "lazyfree"
        else:
            assert m["lazyfree_settled_bytes"] < 0.01 * m["peak_rss_bytes"], release
            assert m["released_share"] > 0.9
            assert 0 <= m["first_fall_s"] <= m["release_s"] < 5
            assert r["mechanism"] == "released"


def test_usage_tells_the_same_as_rss(campaign, runs):
    for c in campaign[0].info["cells"]:
        if not c["applicable"]:
            continue
        samples = campaign[0].samples(c["id"])
        assert len(samples) > 20, c["id"]
        assert max(usage for _, _, usage in samples) > 800 * MB
        assert abs(samples[-1][1] - samples[-1][2]) < 16 * MB, "page tables and the program's own file pages apart"


def test_the_release_is_the_one_asked_for(runs):
    for (release, _), r in runs.items():
        cell, version = r["cell"]["go"], r["go"]["version"]
        assert re.fullmatch(r"1\.\d+(\.\d+)?", version)
        assert version == cell or version.startswith(cell + "."), "its newest patch"
        assert r["go"]["line"] == f"1.{release}"


def test_the_binary_is_that_releases(runs):
    """The binary with the sha256 on record has that release's version in it, and no other's."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "memtide"
    built = {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in cache.rglob("*") if p.is_file() and p.stat().st_mode & 0o111}
    versions = {r["go"]["version"] for r in runs.values()}
    for r in runs.values():
        sha = r["program"]["sha256"]
        assert re.fullmatch("[0-9a-f]{64}", sha)
        binary = built[sha].read_bytes()
        assert {v for v in versions if f"go{v}".encode() in binary} == {r["go"]["version"]}


def test_one_binary_a_release(runs):
    by_sha = {}
    for (release, _), r in runs.items():
        by_sha.setdefault(r["program"]["sha256"], set()).add(release)
    assert len(by_sha) == 5
    assert all(len(releases) == 1 for releases in by_sha.values()), "a setting of the environment needs no build of its own"


def test_the_setting_is_in_the_environment(runs):
    for (_, setting), r in runs.items():
        assert r["env"].get("GODEBUG") == (None if setting == "default" else setting)


def findings(printed):
    """The table and what it shows, without the folder's name."""
    return printed.split("\nFigures:")[0].split("\nRecorded in")[0]


def test_show(campaign, memtide, runs):
    shown = memtide("show", campaign[0].path)
    assert shown.code == 0, shown.err
    assert findings(shown.out) == findings(campaign[1].stdout), "a year later as on the day"
    table = [line.split()[:3] for line in shown.out.splitlines()]
    for (_, setting), r in runs.items():
        assert [r["go"]["version"], setting, "ok"] in table
    assert "MADV_FREE" in shown.out


def check_figures(folder):
    pngs, svgs = sorted(folder.rglob("*.png")), sorted(folder.rglob("*.svg"))
    assert {p.stem for p in svgs} == {"grid", "heatmap", "overlay"}
    assert {p.stem.removesuffix("-phone") for p in pngs} == {"grid", "heatmap", "overlay", "inside", "numbers"}
    for png in pngs:
        assert png.stat().st_size > 10_000, png
        width, height = png_size(png)
        assert width >= 400 and height >= 200, png
    for svg in svgs:
        text = svg.read_text()
        assert "</svg>" in text and svg.stat().st_size > 5_000, svg
    return pngs


def test_figures(campaign, runs):
    pngs = check_figures(campaign[0].path / "plots")
    assert max(png_size(p)[0] for p in pngs) >= 1600, "readable in print"
    panels = "".join(p.read_text() for p in (campaign[0].path / "plots").rglob("*.svg"))
    for release in {r["cell"]["go"] for r in runs.values()}:
        assert release in panels, f"{release} is in the figures"


def test_figures_again_offline(campaign, memtide, tmp_path):
    """From the folder alone, on another machine: a copy, without Go and without root's groups."""
    copy = shutil.copytree(campaign[0].path, tmp_path / "copy")
    before = {p.name for p in (copy / "plots").rglob("*.png")}
    shutil.rmtree(copy / "plots")
    plotted = memtide("plot", copy, env={"PATH": "/usr/bin:/bin", "GOPROXY": "off"})
    assert plotted.code == 0, plotted.err
    assert {p.name for p in check_figures(copy / "plots")} == before
