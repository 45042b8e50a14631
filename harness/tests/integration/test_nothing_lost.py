# SPDX-License-Identifier: Apache-2.0
"""What is recorded stays recorded, whatever is done with the folder afterwards, also by a memtide that cannot read all of it."""

import subprocess

import pytest


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture
def finished(memtide, scenario, stimulus):
    """(path of the scenario, its finished campaign)"""
    path = scenario(command=[stimulus("alloc"), 10, 100])
    done = memtide("run", path)
    assert done.code == 0, done.err
    return path, done.campaign


def test_resume_keeps_a_run_of_a_newer_format(memtide, finished, needs_root):
    """`interrupted` is what such a run looks like to this memtide; to the newer one it is finished."""
    path, campaign = finished
    run = campaign.run_dir() / "run.json"
    run.write_text(run.read_text().replace("memtide-run/1", "memtide-run/2"))
    before = content(run.parent)
    done = memtide("run", path, "--resume")
    assert content(run.parent) == before, "a run of a newer format was replaced"
    assert "memtide-run/2" in done.err and "newer" in done.err, done.err


def test_show_does_not_advise_to_do_a_run_of_a_newer_format_again(memtide, finished, needs_root):
    _, campaign = finished
    run = campaign.run_dir() / "run.json"
    run.write_text(run.read_text().replace("memtide-run/1", "memtide-run/2"))
    shown = memtide("show", campaign.path)
    assert "newer" in shown.err
    assert "--resume" not in shown.err, shown.err


@pytest.mark.parametrize("name", ["samples", "probes"])
def test_plot_tells_of_series_of_a_newer_format(memtide, finished, needs_root, name):
    _, campaign = finished
    path = campaign.run_dir() / f"{name}.tsv.zst"
    text = subprocess.run(["zstdcat", path], capture_output=True, check=True).stdout
    newer = text.replace(f"memtide-{name}/1".encode(), f"memtide-{name}/2".encode())
    assert newer != text
    path.write_bytes(subprocess.run(["zstd", "-q"], input=newer, capture_output=True, check=True).stdout)
    drawn = memtide("plot", campaign.path)
    assert path.name in drawn.err and "newer" in drawn.err, drawn.err


@pytest.mark.parametrize("command", [["show"], ["show", "--json"], ["export", "--format", "csv"], ["export", "--format", "json"]], ids=" ".join)
def test_readers_change_nothing(memtide, finished, needs_root, command):
    _, campaign = finished
    before = {str(p): p.stat().st_mtime_ns for p in campaign.path.rglob("*")}
    assert memtide(*command, campaign.path).code == 0
    assert {str(p): p.stat().st_mtime_ns for p in campaign.path.rglob("*")} == before
