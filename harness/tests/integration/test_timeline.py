# SPDX-License-Identifier: Apache-2.0
"""What is done to a run while it goes on: each act of a timeline, on both clocks, and what a target finds its kernel to do otherwise."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import AS_NOBODY, ROOT, newest_campaign, slack_s, wait_until
from test_bad_input import clear
from test_leftovers import groups_of, kill, start  # noqa: F401 (a fixture)

MIB = 1 << 20
V1 = os.path.exists("/sys/fs/cgroup/memory/memory.limit_in_bytes")
HELPERS = 8 * MIB  # what a process of memtide's own program occupies beside the amount; more under a sanitizer

SQUEEZED = 10 * MIB  # at least; the machine itself may have taken some of what was lazily freed before

pytestmark = pytest.mark.usefixtures("needs_root")
both_clocks = pytest.mark.parametrize("clock", ["real", "virtual"])


@pytest.fixture
def slack(build):
    return 40 * MIB if "address" in build.name else HELPERS


@pytest.fixture
def act(memtide, scenario, stimulus):
    """act([100, "free"], ["{at: 1s, do: ...}"]) -> Result of that stimulus under this timeline."""

    def call(how, acts, clock="virtual", run="for: 3s", limit="256MB", extra="", options=(), program="acted_on", **keys):
        timeline = "timeline: [" + ", ".join(acts) + "]\n" + extra
        path = scenario(command=[stimulus(program), *how], run=f"{run}, clock: {clock}", limit=limit, extra=timeline)
        return memtide("run", path, *options, **keys)

    return call


def good(result, clock=None):
    assert result.code == 0, result.out + result.err
    run = result.run()
    assert run["outcome"] == "ok", run["why"]
    assert run["clock"]["ended"] is None, run["clock"]
    if clock:
        assert run["clock"]["kind"] == clock
    return run


def told(run):
    return [(a["do"], a["result"]) for a in run["timeline"]]


def may_be_late_s(run):
    """By how much it may be late. On a virtual clock: by no more than the real time that all of it took."""
    return run["target_s"] - run["clock"]["skipped_s"] if run["clock"]["kind"] == "virtual" else 1 + slack_s()


def mark(run, name):
    (t,) = [m["t_s"] for m in run["marks"] if m["name"] == name]
    return t


def at(rows, t, column):
    """What held at that time."""
    return [row for row in rows if row[0] <= t][-1][column]


def rss(result, t):
    return at(result.campaign.samples(), t, 1)


def usage(result, t):
    return at(result.campaign.samples(), t, 2)


def helpers():
    """Of this clone's memtide: others may run beside."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            own = os.readlink(entry / "exe").startswith(f"{ROOT}/")
            if own and b"act-helper" in (entry / "cmdline").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


# ---- each act


@both_clocks
def test_pressure(act, clock, slack):
    result = act([50], ["{at: 1s, do: pressure, amount: 100MB}"], clock, run="for: 8s")
    run = good(result, clock)
    (done,) = run["timeline"]
    assert (done["at_s"], done["do"], done["amount_bytes"], done["signal"]) == (1.0, "pressure", 100 * MIB, None)
    assert (done["result"], done["why"]) == ("ok", None)
    assert 1 <= mark(run, "pressure") <= 1 + may_be_late_s(run) and mark(run, "pressure") <= done["done_s"] < 7
    after = usage(result, 7.9)
    assert 100 * MIB <= after - rss(result, 7.9) < 100 * MIB + slack
    assert usage(result, done["done_s"] + 0.05) > 100 * MIB
    assert run["metrics"]["peak_rss_bytes"] < 55 * MIB, "it is not the program"
    assert run["oom_kills"] == 0
    assert helpers() == []


def test_no_time_is_skipped_before_it_is_done(act):
    """Touching takes real time; the program sleeps, and would be an hour older by then."""
    result = act(["nanosleep", 3600], ["{at: 1min, do: pressure, amount: 150MB}"], run="timeout: 2h", program="clock")
    run = good(result, "virtual")
    (done,) = run["timeline"]
    assert done["result"] == "ok" and 60 < done["done_s"] < 75
    assert usage(result, 75) > 150 * MIB
    assert 3600 <= run["target_s"] <= 3600 + may_be_late_s(run) and run["wall_s"] < 40


@both_clocks
def test_neighbour(act, clock):
    """It takes what the program has given back by MADV_FREE: the limit is that of both."""
    result = act([150, "free"], ["{at: 2s, do: neighbour, amount: 200MB}"], clock, run="for: 6s")
    run = good(result, clock)
    assert told(run) == [("neighbour", "ok")]
    assert rss(result, 5.9) < 100 * MIB < rss(result, 1.95) - SQUEEZED, "150 + 200 MB do not go into 256"
    assert max(u for _, _, u in result.campaign.samples()) < 160 * MIB, "usage is the program's own"
    assert run["metrics"]["memcg_peak_bytes"] < 160 * MIB
    assert run["oom_kills"] == 0
    mark(run, "neighbour")


@both_clocks
def test_limits(act, clock):
    acts = ["{at: 2s, do: lower-limit, amount: 64MB}", "{at: 4s, do: raise-limit, amount: 400MB}", "{at: 4s, do: pressure, amount: 300MB}"]
    result = act([150, "free"], acts, clock, run="for: 8s")
    run = good(result, clock)
    assert told(run) == [("lower-limit", "ok"), ("raise-limit", "ok"), ("pressure", "ok")]
    assert usage(result, 3.9) <= 64 * MIB
    assert rss(result, 3.9) <= 70 * MIB < rss(result, 1.95) - SQUEEZED
    assert usage(result, 7.9) > 300 * MIB
    assert mark(run, "limit-lowered") < mark(run, "limit-raised") < mark(run, "pressure")
    assert run["cgroup"]["limit_bytes"] == 256 * MIB, "that it began with"


def test_the_limit_of_both(act):
    """Where there is a neighbour, limit acts change the limit that it shares with the program."""
    acts = ["{at: 3s, do: lower-limit, amount: 100MB}", "{at: 4s, do: neighbour, amount: 80MB}"]
    result = act([150, "free"], acts, run="for: 8s")
    run = good(result)
    assert told(run) == [("lower-limit", "ok"), ("neighbour", "ok")]
    assert rss(result, 7.9) < 30 * MIB


def test_a_family_under_pressure(act):
    """Processes that come and go after it: the clock takes those of the run, and not the one that presses."""
    acts = ["{at: 1s, do: pressure, amount: 20MB}", "{at: 1min, do: neighbour, amount: 20MB}"]
    how = ["-c", "sleep 2; sleep 100 & sleep 300; wait"]
    result = act(how, acts, run="timeout: 20min", program="/bin/sh")
    run = good(result, "virtual")
    assert told(run) == [("pressure", "ok"), ("neighbour", "ok")]
    assert 302 <= run["target_s"] <= 302 + may_be_late_s(run) and run["wall_s"] < 40


@pytest.mark.skipif(not V1, reason="cgroup v1: v2 kills instead")
@both_clocks
def test_a_limit_that_the_kernel_refuses(act, clock):
    run = good(act([150], ["{at: 1s, do: lower-limit, amount: 64MB}"], clock))
    (done,) = run["timeline"]
    assert done["result"] == "failed" and "more is in use than the new limit" in done["why"] and "busy" in done["why"]
    assert run["oom_kills"] == 0


@both_clocks
def test_reclaim(act, clock):
    result = act([150, "free"], ["{at: 2s, do: reclaim, amount: 150MB}"], clock, run="for: 5s")
    run = good(result, clock)
    (done,) = run["timeline"]
    assert done["result"] == "ok"
    assert not V1 or "force_empty" in done["why"]
    assert rss(result, 4.9) < 20 * MIB < rss(result, 1.95) - SQUEEZED
    mark(run, "reclaimed")


@both_clocks
def test_signal(act, clock):
    run = good(act([5], ["{at: 3s, do: signal, name: SIGUSR1}", "{at: 1s, do: signal, name: SIGUSR1}"], clock, run="for: 5s"))
    assert told(run) == [("signal", "ok")] * 2
    assert [a["signal"] for a in run["timeline"]] == ["SIGUSR1"] * 2
    seen = [m["t_s"] for m in run["marks"] if m["name"] == "usr1"]
    late = may_be_late_s(run)
    assert [1 <= seen[0] <= 1 + late, 3 <= seen[1] <= 3 + late, len(seen)] == [True, True, 2], run["marks"]
    assert 5 <= run["target_s"] <= 5 + late


@both_clocks
def test_a_signal_that_ends_it(act, clock):
    result = act([5], ["{at: 1s, do: signal, name: SIGKILL}", "{at: 20s, do: reclaim, amount: 1MB}"], clock, run="for: 30s")
    run = result.run()
    assert run["outcome"] == "signal" and "SIGKILL" in run["why"]
    assert told(run) == [("signal", "ok"), ("reclaim", "not reached")]
    assert run["timeline"][1]["done_s"] is None
    assert 1 <= run["target_s"] <= 1 + may_be_late_s(run)


def test_without_a_cgroup_there_are_signals(memtide, scenario, stimulus):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memtide-test-", dir="/tmp"))
    try:
        folder.chmod(0o777)
        for file in (memtide.binary, stimulus("acted_on")):
            shutil.copy(file, folder)
        text = "name: {}\ntitle: What?\nprogram: {{command: [{}/acted_on, 5]}}\nlimit: none\nrun: {{for: 2s}}\ntimeline: [{}]\n"
        (folder / "usr1.yaml").write_text(text.format("usr1", folder, "{at: 1s, do: signal, name: SIGUSR1}"))
        (folder / "press.yaml").write_text(text.format("press", folder, "{at: 1s, do: pressure, amount: 1MB}"))

        def run(name):
            return subprocess.run(
                [*AS_NOBODY, folder / "memtide", "run", f"{name}.yaml", "--no-plot"], cwd=folder, capture_output=True, text=True,
                timeout=60, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "HOME": str(folder), "MEMTIDE_HOME": str(folder)},
            )  # fmt: skip

        done = run("usr1")
        assert done.returncode == 0, done.stderr
        record = newest_campaign(folder / "results").runs()[0]
        assert [m["name"] for m in record["marks"]][-2:] == ["signal", "usr1"]
        done = run("press")
        assert done.returncode == 125 and "press.yaml:6:12: pressure 1.00 MB needs a cgroup for the run" in done.stderr, done.stderr
        assert "--limit none" not in done.stderr
        assert not list((folder / "results").glob("*-press/*/*/run.json"))
    finally:
        shutil.rmtree(folder)


# ---- who is killed, and whose fault it is


@both_clocks
def test_pressure_that_is_killed_is_not_the_programs_end(act, clock):
    run = good(act([20], ["{at: 1s, do: pressure, amount: 300MB}"], clock, limit="128MB"), clock)
    (done,) = run["timeline"]
    assert done["result"] == "killed" and "out of memory" in done["why"]
    assert run["oom_kills"] == 1


@pytest.mark.parametrize("begin", [980, 985, 990, 995])
def test_pressure_that_is_killed_at_the_very_end(act, begin):
    """Whether it was still dying when the run ended, or yet to be killed: it is not the program's end."""
    run = good(act([5], [f"{{at: {begin}ms, do: pressure, amount: 300MB}}"], "real", run="for: 1s, repeat: 1", limit="16MB"))
    (done,) = run["timeline"]
    assert done["result"] in ("killed", "unfinished", "ok")
    assert run["oom_kills"] == (1 if done["result"] == "killed" else 0), done


@both_clocks
def test_a_neighbour_that_is_killed(act, clock):
    run = good(act([20], ["{at: 1s, do: neighbour, amount: 300MB}"], clock, limit="128MB"), clock)
    assert told(run) == [("neighbour", "killed")]
    assert run["oom_kills"] == 0


@both_clocks
def test_pressure_that_kills_the_program(act, clock):
    run = act([100], ["{at: 1s, do: pressure, amount: 60MB}"], clock, limit="128MB").run()
    assert run["outcome"] == "oom-cgroup" and "128 MB" in run["why"], run["why"]


def test_a_neighbour_that_kills_the_program(act):
    run = act([100], ["{at: 1s, do: neighbour, amount: 60MB}"], limit="128MB").run()
    assert run["outcome"] == "oom-cgroup" and "shared with its neighbour" in run["why"], run["why"]


# ---- the end


@both_clocks
def test_not_reached(act, clock):
    run = good(act([5, 300], ["{at: 5s, do: pressure, amount: 1MB}"], clock, run="timeout: 20s", program="alloc"), clock)
    assert told(run) == [("pressure", "not reached")]
    assert [m["name"] for m in run["marks"]] == ["load", "loaded"]


def test_unfinished(act):
    for _ in range(5):
        run = good(act([5], ["{at: 990ms, do: pressure, amount: 1GB}"], "real", run="for: 1s", limit="1200MB"))
        (done,) = run["timeline"]
        assert helpers() == []
        if run["target_s"] < 1.2:
            break  # memtide had a CPU when it was time to end, and did not wait until this is done
    assert run["target_s"] < 1.2, "nobody waits for it"
    assert (done["result"], done["done_s"]) == ("unfinished", None) and "before it was done" in done["why"]


def test_finished_where_the_clock_waits(act):
    run = good(act([5], ["{at: 990ms, do: pressure, amount: 400MB}"], run="for: 1s", limit="1200MB"), "virtual")
    assert told(run) == [("pressure", "ok")]


@both_clocks
def test_runs_side_by_side(act, clock):
    acts = ["{at: 500ms, do: neighbour, amount: 50MB}", "{at: 1s, do: pressure, amount: 50MB}"]
    result = act([5], acts, clock, run="for: 8s, repeat: 4", options=("--jobs", "4"))
    assert result.code == 0, result.err
    for run in result.runs():
        assert run["outcome"] == "ok" and [a["result"] for a in run["timeline"]] == ["ok", "ok"], run["timeline"]
    assert helpers() == []


# ---- kill -9, Ctrl-C


def long_one(scenario, stimulus, clock):
    acts = "timeline: [{at: 100ms, do: neighbour, amount: 20MB}, {at: 200ms, do: pressure, amount: 20MB}]\n"
    return scenario(command=[stimulus("clock"), "nanosleep-loop", 500000], run=f"for: 100h, clock: {clock}", extra=acts)


@pytest.mark.parametrize("next_start", ["run", "doctor"])
def test_kill_9(memtide, start, scenario, stimulus, next_start):  # noqa: F811
    running = start(long_one(scenario, stimulus, "real"))
    wait_until(lambda: len(helpers()) == 2)
    assert len(groups_of(running.pid)) == 2
    assert len([g for g in groups_of(running.pid)[1].iterdir() if g.is_dir()]) == 2
    kill(running)
    wait_until(lambda: not helpers())
    if next_start == "run":
        assert memtide("run", scenario(name="next", command=[stimulus("alloc"), 1])).code == 0
    else:
        assert memtide("doctor", "--clean").code == 0
    assert groups_of(running.pid) == []


def test_ctrl_c(memtide, start, scenario, stimulus):  # noqa: F811
    running = start(long_one(scenario, stimulus, "real"))
    wait_until(lambda: len(helpers()) == 2)
    running.send_signal(2)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 3, err
    assert helpers() == [] and groups_of(running.pid) == []


# ---- bad input (harness/tests/unit/test_scenario has the rest)


def test_the_command_line_takes_away_what_an_act_needs(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("alloc")], run="for: 20s", extra="timeline: [{at: 10s, do: lower-limit, amount: 100MB}]\n")
    for options, words in [
        (["--for", "5s"], ["lower-limit 100 MB at 10.0 s comes too late", "the run ends at 5.00 s", "--for"]),
        (["--limit", "none"], ["there is no limit to lower"]),
        (["--limit", "64MB"], ["the limit is 64.0 MB by then"]),
        (["--set", "limit=1GB,64MB"], ["the limit is 64.0 MB by then"]),
    ]:
        clear(memtide("run", path, *options), 2, "test.yaml:6:12: ", *words)
    assert not memtide.results.exists()


def test_a_timeline_is_listed(memtide, scenario, stimulus):
    acts = "timeline: [{at: 2s, do: signal, name: SIGHUP}, {at: 1s, do: pressure, amount: 100MB}]\n"
    path = scenario(command=[stimulus("alloc")], run="for: 20s", extra=acts)
    shown = memtide("list", path)
    assert re.search(r"timeline +at 1\.00 s: pressure 100 MB\n +at 2\.00 s: signal SIGHUP\n", shown.out), shown.out
    (listed,) = json.loads(memtide("list", path, "--json").out)
    assert listed["timeline"] == [
        {"at_s": 1.0, "do": "pressure", "amount_bytes": 100 * MIB, "signal": None},
        {"at_s": 2.0, "do": "signal", "amount_bytes": None, "signal": "SIGHUP"},
    ]
    assert "act-helper" not in memtide("--help").out


# ---- what the kernel does otherwise for a target


@both_clocks
def test_madv_free_refused(memtide, scenario, stimulus, clock):
    path = scenario(command=[stimulus("acted_on"), 20, "free"], run=f"for: 2s, clock: {clock}", extra="axes: {madv_free: [default, refused]}\n")
    result = memtide("run", path)
    assert result.code == 0, result.err
    for value, answer in [("default", "taken"), ("refused", "EINVAL")]:
        cell = f"madv_free={value}"
        assert (result.campaign.run_dir(cell) / "stdout").read_text() == f"{answer}\n"
        run = json.loads((result.campaign.run_dir(cell) / "run.json").read_text())
        assert run["cell"] == {"madv_free": value}
        assert (run["clock"]["kind"], run["clock"]["ended"]) == (clock, None)
    assert {c["settings"]["madv_free"] for c in result.campaign.info["cells"]} == {"default", "refused"}


def test_a_filter_beside_that_of_the_clock(memtide, scenario, stimulus):
    """A program that makes others, and executes programs, stays on the virtual clock."""
    for mode in ("exec", "double-fork", "fork"):
        path = scenario(
            name=mode, command=[stimulus("clock_family"), mode, 300], run="timeout: 2000s, clock: virtual",
            extra="axes: {madv_free: refused, thp: never}\n",
        )  # fmt: skip
        memtide("run", path, "--out", memtide.results / mode)
        run = newest_campaign(memtide.results / mode).runs()[0]
        assert run["outcome"] == "ok", run["why"]
        assert run["clock"]["ended"] is None, run["clock"]
        assert run["target_s"] >= 300 and run["wall_s"] < 40


@both_clocks
def test_thp_never(memtide, scenario, stimulus, clock):
    thp = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
    if "[never]" in thp:
        pytest.skip("prerequisite: transparent_hugepage/enabled is madvise or always")
    path = scenario(command=[stimulus("acted_on"), 100, "huge"], run=f"for: 3s, clock: {clock}", extra="axes: {thp: [default, never]}\n")
    result = memtide("run", path)
    assert result.code == 0, result.err
    by_value = {r["cell"]["thp"]: r["metrics"]["thp_settled_bytes"] for r in result.runs()}
    assert by_value["never"] == 0
    assert by_value["default"] > 50 * MIB, "the machine has none to give: nothing was tested"


def test_a_go_program_without_madv_free(memtide, scenario, toolchains):
    """Go 1.15 gives back by MADV_FREE, and falls back to MADV_DONTNEED where the kernel does not know it."""
    extra = 'args: [-sizes, "100MB"]\naxes: {go: 1.15, madv_free: [default, refused]}\n'
    result = memtide("run", scenario(program="allocate", run="for: 11min", extra=extra), timeout=300)
    assert result.code == 0, result.err
    settled = {r["cell"]["madv_free"]: r["metrics"]["settled_rss_bytes"] for r in result.runs()}
    assert all(r["clock"]["kind"] == "virtual" and r["clock"]["ended"] is None for r in result.runs())
    assert settled["default"] > 95 * MIB and settled["refused"] < 30 * MIB, settled


def test_acts_on_a_go_program(memtide, scenario, toolchains):
    """A service that keeps lazily freed memory, squeezed by a neighbour after ten minutes."""
    extra = (
        'args: [-sizes, "100MB"]\naxes: {go: [1.13, latest]}\n'
        "timeline: [{at: 10min, do: neighbour, amount: 200MB}, {at: 11min, do: signal, name: SIGURG}]\n"
    )
    result = memtide("run", scenario(program="allocate", run="for: 15min", extra=extra), timeout=300)
    assert result.code == 0, result.err
    for run in result.runs():
        assert run["outcome"] == "ok" and run["clock"]["ended"] is None, run
        assert told(run) == [("neighbour", "ok"), ("signal", "ok")]
    old = result.campaign.samples("go=1.13")
    assert at(old, 599, 1) > 95 * MIB and at(old, 899, 1) < 80 * MIB
