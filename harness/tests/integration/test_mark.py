# SPDX-License-Identifier: Apache-2.0
"""memtide mark: marks that people add to a finished run."""

import datetime
import json
import os
import shutil

import pytest


@pytest.fixture
def run(copy_of_recorded):
    """A run of 100 s that began at a known moment."""
    path = sorted(copy_of_recorded.path.glob("*/*/run.json"))[0].parent
    set_run(path, started="2026-11-21T12:00:00Z", target_s=100.0)
    return path


def set_run(path, **values):
    info = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**info, **values}))


def notes(run):
    lines = (run / "notes.tsv").read_text().splitlines()
    assert lines[0] == "# memtide-notes/1" and lines[1] == "# t_s\ttext"
    return [tuple(line.split("\t")) for line in lines if not line.startswith("#")]


def refused(done, *words):
    assert done.code == 2, (done.code, done.out, done.err)
    for word in words:
        assert word in done.err, done.err


@pytest.mark.parametrize(
    "time, t_s",
    [
        ("95.5s", 95.5), ("+95.5s", 95.5), ("1m35s", 95), ("0s", 0), ("100s", 100),
        ("12:01:10", 70), ("12:01", 60), ("12:00:10.25", 10.25), ("14:01:10+02:00", 70), ("12:01:10Z", 70),
        ("2026-11-21T12:00:00Z", 0), ("2026-11-21 13:00:30+01:00", 30),
    ],
)
def test_times_of_all_kinds(memtide, run, time, t_s):
    done = memtide("mark", run, time, "deploy")
    assert done.code == 0, done.err
    assert notes(run) == [(f"{t_s:.6f}", "deploy")]
    assert f"marked at {t_s:.3f} s" in done.out and "2026-11-21T12:0" in done.out


def test_marks_stand_in_order_and_can_be_removed(memtide, run):
    for time, text in [("20s", "second"), ("10s", "first"), ("20s", "third")]:
        assert memtide("mark", run, time, text).code == 0
    assert [text for _, text in notes(run)] == ["first", "second", "third"]
    assert memtide("mark", run, "20s", "second", "--remove").code == 0
    assert [text for _, text in notes(run)] == ["first", "third"]
    refused(memtide("mark", run, "30s", "--remove"), "no mark at 30s", "there are: 10.000s first; 20.000s third")
    refused(memtide("mark", run, "20s", "second", "--remove"), "no mark 'second'")
    assert memtide("mark", run, "20s", "--remove").code == 0
    assert memtide("mark", run, "12:00:10", "--remove").code == 0
    assert not (run / "notes.tsv").exists()


def test_which_run(memtide, copy_of_recorded, run):
    cell, repeat = run.parent.name, run.name
    refused(memtide("mark", copy_of_recorded.path, "10s", "x"), "has 4 runs", "--run CELL/REPEAT", f"{cell}/{repeat}")
    refused(memtide("mark", copy_of_recorded.path, "10s", "x", "--run", "no/1"), "there is no run 'no/1'")
    assert memtide("mark", copy_of_recorded.path, "10s", "x", "--run", f"{cell}/{repeat}").code == 0
    assert notes(run) == [("10.000000", "x")]
    refused(memtide("mark", run, "10s", "x", "--run", f"{cell}/{repeat}"), "is a run's folder")
    refused(memtide("mark", copy_of_recorded.path / "plots-not-there", "10s", "x"), "there is no folder")
    refused(memtide("mark", copy_of_recorded.path / cell, "10s", "x"), "a part of a campaign")


def test_a_campaign_with_one_run_needs_no_name(memtide, copy_of_recorded, run):
    for other in copy_of_recorded.path.glob("*/*/run.json"):
        if other.parent != run:
            shutil.rmtree(other.parent)
    assert memtide("mark", copy_of_recorded.path, "10s", "x").code == 0
    assert notes(run) == [("10.000000", "x")]


@pytest.mark.parametrize(
    "time, words",
    [
        ("100.1s", "outside of the run, which took 1 min 40 s"),
        ("11:59:59", "outside of the run, which went from 2026-11-21T12:00:00Z to 2026-11-21T12:01:40Z"),
        ("2026-11-22T12:00:30Z", "outside of the run"),
        ("2026-11-21T12:00:30", "no time zone"),
        ("2026-11-31T12:00:30Z", "is not a moment"),
        ("25:00:00", "is not a time of the day"),
        ("12:00:99", "is not a time of the day"),
        ("soon", "'soon' is not a time"),
        ("12", "'12' is not a time"),
        ("", "'' is not a time"),
        ("1x30s", "is not a time"),
        ("99999999999999999999s", "99999999999999999999s"),
    ],
)
def test_times_that_are_none(memtide, run, time, words):
    refused(memtide("mark", run, time, "x"), words)
    assert not (run / "notes.tsv").exists()


def test_a_clock_of_another_zone_is_told(memtide, run):
    refused(memtide("mark", run, "13:00:30", "x", env={"TZ": "Europe/Berlin"}), "outside of the run", "13:00:30+01:00")


def test_over_midnight_and_over_days(memtide, run):
    set_run(run, started="2026-11-21T23:59:30Z")
    assert memtide("mark", run, "00:00:10", "x").code == 0
    assert notes(run)[0][0] == "40.000000"
    set_run(run, target_s=3 * 86400.0)
    refused(memtide("mark", run, "12:00:00", "x"), "went over 3 days", "say the date")
    assert memtide("mark", run, "2026-11-23T12:00:00Z", "x").code == 0


def test_a_virtual_clock_has_its_own_time(memtide, run):
    info = json.loads((run / "run.json").read_text())
    set_run(run, clock={**info["clock"], "kind": "virtual"})
    refused(memtide("mark", run, "12:00:10", "x"), "clock was virtual", "95.5s")
    assert memtide("mark", run, "10s", "x").code == 0


def test_runs_without_time(memtide, run):
    set_run(run, target_s=None)
    refused(memtide("mark", run, "10s", "x"), "never started")
    (run / "run.json").unlink()
    refused(memtide("mark", run, "10s", "x"), "no run.json")


@pytest.mark.parametrize("text", ["", " ", "a\tb", "a\nb", "\x1b[31mred", "x" * 61, b"caf\xe9"])
def test_texts_that_cannot_be_shown(memtide, run, text):
    refused(memtide("mark", run, "10s", os.fsdecode(text)), "the text of a mark")
    assert not (run / "notes.tsv").exists()


def test_usage(memtide, run):
    refused(memtide("mark", run), "DIR, TIME and the text are needed")
    refused(memtide("mark", run, "10s", "two", "words"), "put it in quotes")


def test_a_damaged_file_is_not_overwritten(memtide, copy_of_recorded, run):
    (run / "notes.tsv").write_text("# memtide-notes/1\nnonsense\n")
    refused(memtide("mark", run, "10s", "x"), "notes.tsv:2: not a mark")
    assert (run / "notes.tsv").read_text() == "# memtide-notes/1\nnonsense\n"
    assert "notes.tsv:2: not a mark" in memtide("show", copy_of_recorded.path).err
    (run / "notes.tsv").write_text("# memtide-notes/9\n")
    done = memtide("mark", run, "10s", "x")
    assert done.code == 125 and "use a newer memtide" in done.err


def test_a_folder_that_cannot_be_written(memtide, run):
    if os.geteuid() == 0:
        (run / "notes.tsv").mkdir()
        done = memtide("mark", run, "10s", "x")
    else:
        run.chmod(0o555)
        done = memtide("mark", run, "10s", "x")
        run.chmod(0o755)
    assert done.code == 125 and "notes.tsv" in done.err


def test_show_lists_them(memtide, copy_of_recorded, run):
    memtide("mark", run, "10s", "deploy of 1.42")
    shown = memtide("show", copy_of_recorded.path)
    assert "Marks added later:" in shown.out and f"{run.parent.name}/{run.name} at 10.000 s: deploy of 1.42" in shown.out
    found = [r["notes"] for r in json.loads(memtide("show", copy_of_recorded.path, "--json").out)["runs"]]
    assert sorted(map(len, found)) == [0, 0, 0, 1]
    assert {"t_s": 10.0, "text": "deploy of 1.42"} in sum(found, [])


@pytest.mark.skipif(not shutil.which("gnuplot"), reason="prerequisite: gnuplot-nox")
def test_figures_have_them(memtide, copy_of_recorded, run):
    memtide("mark", run, "10s", "it's 100 % 'deployed'")
    assert memtide("plot", copy_of_recorded.path).code == 0
    text = (copy_of_recorded.path / "plots/data/figure.gp").read_text()
    assert "'it''s 100 % ''deployed'''" in text


def test_the_moment_of_a_real_run(memtide, scenario, stimulus):
    """started is to the second, so a mark of the real world is as exact."""
    done = memtide("run", scenario(command=[stimulus("alloc"), 10, 3000]))
    run = done.run()
    middle = datetime.datetime.fromisoformat(run["started"].replace("Z", "+00:00")) + datetime.timedelta(seconds=1)
    marked = memtide("mark", done.campaign.path, middle.strftime("%H:%M:%S"), "in the middle")
    assert marked.code == 0 and "at 1.000 s" in marked.out, marked.err
