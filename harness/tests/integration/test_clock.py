# SPDX-License-Identifier: Apache-2.0
"""The virtual clock: hours of a program in seconds, and nothing in it can tell; where that cannot be kept, it is told why."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from conftest import RELEASES, ROOT, newest_campaign, wait_until

GO_STIMULI = ROOT / "harness/tests/stimuli/go"
MIB = 1 << 20
LONG = 300  # s of virtual time
QUICK = 50  # s of real time at most for it, on a starved machine
LATE = 3  # s that a wait in real time may take longer on a busy machine

pytestmark = pytest.mark.usefixtures("needs_root")

WAITS = [
    "nanosleep", "nanosleep-loop", "abs-monotonic", "abs-realtime", "cond", "cond-monotonic", "sem", "select", "poll", "epoll",
    "sigtimedwait", "time", "cpu", "raw-clock", "leader-exit", "cond-race",
]  # fmt: skip
FAMILIES = ["fork", "exec", "exec-fail", "double-fork", "vfork", "kill-race", "kill-exec", "thread-exec", "pipe", "tcp"]
# What cannot be moved, and the words that must name it.
IMMOVABLE = {
    ("clock", "timerfd"): ["timerfd"],
    ("clock", "posix-timer"): ["timer_create"],
    ("clock", "itimer"): ["setitimer"],
    ("clock", "alarm"): ["alarm", "setitimer"],
    ("clock", "rcvtimeo"): ["SO_RCVTIMEO"],
    ("clock_family", "seccomp-child"): ["seccomp"],
}
immovable = pytest.mark.parametrize("program, mode", IMMOVABLE, ids=lambda name: name)


@pytest.fixture
def virtual(memtide, scenario, stimulus):
    """virtual("clock", "nanosleep", 300) -> Result of that stimulus under a virtual clock."""

    def call(program, *how, clock="virtual", run="timeout: 2000s", options=(), name="test", **keys):
        path = scenario(name=name, command=[stimulus(program), *how], run=f"{run}, clock: {clock}")
        began = time.monotonic()
        result = memtide("run", path, *options, timeout=60, **keys)
        result.took_s = time.monotonic() - began
        return result

    return call


def stdout(result, repeat=1):
    return (result.campaign.run_dir(repeat=repeat) / "stdout").read_text()


def own_time(result, repeat=1):
    """What the program's own clock says has passed."""
    (line,) = [line for line in stdout(result, repeat).splitlines() if line.startswith("elapsed ")]
    return float(line.split()[1])


def assert_not_late(run, folder):
    """What passed for the program and not for us was skipped to the very end of its waits: none can be later than all that passed for us."""
    (line,) = [line for line in (folder / "stdout").read_text().splitlines() if line.startswith("late ")]
    assert float(line.split()[1]) < 0.1 + run["wall_s"]


def said(result, repeat=1):
    """For the message of a failed assertion."""
    return result.err + (result.campaign.run_dir(repeat=repeat) / "stderr").read_text()


def assert_moved(run, seconds):
    """That much time has passed for the program, and next to none for us. What is more than that has passed for us too."""
    clock = run["clock"]
    assert run["outcome"] == "ok", run["why"]
    assert (clock["kind"], clock["ended"]) == ("virtual", None)
    assert seconds <= run["target_s"] + 0.001 and run["target_s"] < seconds * 1.01 + max(1, run["wall_s"])
    assert run["wall_s"] < QUICK
    assert clock["jumps"] >= 1 and 0 < clock["largest_jump_s"] <= clock["skipped_s"] + 1e-6
    assert clock["kernel_timers"] == "real"
    assert_adds_up(run)


def assert_adds_up(run):
    """The target's time is the real one and what was skipped. (wall_s goes on until nothing of the run is left.)"""
    assert -0.001 <= run["clock"]["skipped_s"] + run["wall_s"] - run["target_s"] < LATE


def assert_waited(seconds, result):
    """In real time: how much longer it took is up to the machine."""
    assert seconds - 0.001 <= own_time(result) < seconds + LATE


# ---- waits of one process


@pytest.mark.parametrize("mode", WAITS)
def test_a_wait(virtual, mode):
    result = virtual("clock", mode, LONG)
    assert result.run()["outcome"] == "ok", said(result)
    assert LONG <= own_time(result) + 0.001 and own_time(result) < LONG + max(LATE, result.run()["wall_s"])
    assert_moved(result.run(), LONG)


def test_a_wait_of_a_starved_thread(memtide, scenario, stimulus):
    """It does not stop within 0.1 s when it is to be woken: 40 others want its CPU, and it is the last to get it. Then its wait was
    begun anew once, and took twice as long."""
    for tool in ("taskset", "chrt"):
        assert shutil.which(tool), f"prerequisite: {tool} (util-linux)"
    cpu = str(min(os.sched_getaffinity(0)))
    hogs = [subprocess.Popen(["taskset", "-c", cpu, "sh", "-c", "while :; do :; done"]) for _ in range(40)]
    try:
        command = ["taskset", "-c", cpu, "chrt", "-i", "0", stimulus("alloc"), 2, 60000, "drop"]
        result = memtide("run", scenario(command=command, run="timeout: 10min, clock: virtual, repeat: 6"), timeout=200)
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    for run in result.runs():
        assert run["outcome"] == "ok" and run["clock"]["ended"] is None, said(result)
        assert 120 <= run["target_s"] < 120.2 + run["wall_s"]


@pytest.mark.parametrize("program, mode", [("clock", m) for m in ("nanosleep", "cond", "epoll", "time")] + [("clock_family", "exec")])
def test_a_static_program(virtual, program, mode):
    result = virtual(f"{program}-static", mode, LONG)
    assert result.run()["outcome"] == "ok", said(result)
    assert_moved(result.run(), LONG)


def test_a_fraction_of_a_second(virtual):
    result = virtual("clock", "nanosleep", 0.25)
    assert result.run()["outcome"] == "ok", said(result)
    assert 0.25 <= own_time(result) < 0.35 + result.run()["wall_s"], "neither nothing nor a full second"


def test_a_day(virtual):
    assert_moved(virtual("clock", "epoll", 86400, run="timeout: 48h").run(), 86400)


def test_threads(virtual):
    result = virtual("clock", "threads", 50, LONG)
    assert result.run()["outcome"] == "ok", said(result)
    assert_moved(result.run(), LONG)


def test_a_program_that_does_not_wait(virtual):
    result = virtual("clock", "exit")
    run = result.run()
    assert (run["outcome"], run["clock"]["kind"], run["clock"]["ended"]) == ("ok", "virtual", None), said(result)
    assert run["clock"]["skipped_s"] < 1
    assert_adds_up(run)


@pytest.mark.parametrize("program, mode", [("clock", "spin"), ("clock", "spin-beside"), ("clock_family", "stop")])
def test_no_time_is_skipped_while_a_thread_runs_or_is_stopped(virtual, program, mode):
    result = virtual(program, mode, 2)
    run = result.run()
    assert (run["outcome"], run["clock"]["ended"]) == ("ok", None), said(result)
    assert result.took_s > 2 and run["clock"]["skipped_s"] < 0.1
    assert_adds_up(run)


# ---- processes


@pytest.mark.parametrize("mode", FAMILIES)
def test_processes(virtual, mode):
    result = virtual("clock_family", mode, LONG)
    assert result.run()["outcome"] == "ok", said(result)
    assert LONG <= own_time(result) + 0.001 and own_time(result) < LONG + max(LATE, result.run()["wall_s"])
    assert_moved(result.run(), LONG)


def test_many_processes(memtide, scenario):
    """100 forks and execs of a dynamically linked program, one after the other."""
    result = memtide("run", scenario(command=["/bin/sh", "-c", "for i in $(seq 100); do sleep 3; done"], run="timeout: 1h, clock: virtual"))
    assert_moved(result.run(), 300)


# ---- what cannot be moved


@immovable
def test_what_cannot_be_moved_ends_virtual_time(virtual, program, mode):
    result = virtual(program, mode, 1)
    run = result.run()
    assert run["outcome"] == "ok", said(result)
    assert result.took_s > 1, "from there on it is real time"
    assert_waited(1, result)
    assert 0 <= run["clock"]["ended"]["t_s"] <= run["target_s"]
    assert any(word in run["clock"]["ended"]["why"] for word in IMMOVABLE[program, mode]), run["clock"]["ended"]
    assert_adds_up(run)


@immovable
def test_what_cannot_be_moved_is_an_error_where_time_must_be_virtual(virtual, program, mode):
    result = virtual(program, mode, 1, clock="virtual!")
    run = result.run()
    assert run["outcome"] == "harness-error", said(result)
    assert any(word in run["why"] for word in IMMOVABLE[program, mode]), run["why"]
    assert result.code == 125


def test_what_can_be_moved_is_no_error_where_time_must_be_virtual(virtual):
    result = virtual("clock", "nanosleep", LONG, clock="virtual!")
    assert_moved(result.run(), LONG)
    assert result.code == 0


@pytest.fixture
def setuid_copy(stimulus):
    """The stimulus as a program that runs as nobody, whoever starts it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memtide-test-", dir="/tmp"))
    folder.chmod(0o755)
    path = pathlib.Path(shutil.copy(stimulus("clock_family"), folder / "setuid"))
    os.chown(path, 65534, 65534)
    path.chmod(0o4755)
    yield path
    shutil.rmtree(folder)


def test_a_setuid_child(virtual, setuid_copy):
    result = virtual("clock_family", "setuid-child", 1, setuid_copy)
    run = result.run()
    assert run["outcome"] == "ok", said(result)
    assert_waited(1, result)  # inside or outside, parent and child agree
    if run["clock"]["ended"]:
        assert "set" in run["clock"]["ended"]["why"] and str(setuid_copy) in run["clock"]["ended"]["why"]


def test_a_32_bit_child(memtide, scenario, stimulus, tmp_path):
    """It exits at once: by int $0x80, without any library."""
    (tmp_path / "old.c").write_text('void _start(void)\n{\n\t__asm__("int $0x80" : : "a"(1), "b"(0));\n}\n')
    flags = ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie"]
    made = subprocess.run(["cc", *flags, "-o", "old", "old.c"], cwd=tmp_path, capture_output=True)
    if made.returncode or subprocess.run([tmp_path / "old"]).returncode:
        pytest.skip("prerequisite: a compiler and a kernel that know 32-bit programs")
    script = f"{tmp_path}/old && {stimulus('clock')} nanosleep 1"
    result = memtide("run", scenario(command=["/bin/sh", "-c", script], run="timeout: 20s, clock: virtual"))
    assert result.run()["outcome"] == "ok", said(result)
    assert "32" in result.run()["clock"]["ended"]["why"]
    assert_waited(1, result)


def test_a_program_that_is_stopped_while_it_begins(memtide, scenario, tmp_path):
    """SIGSTOP cannot be held back while the clock is brought into it: it is stopped after that, and goes on when it is told to. 300 execs."""
    script, pid, last = tmp_path / "again", tmp_path / "pid", tmp_path / "last"
    script.write_text(f"if ! test -e {pid}; then echo $$ >{pid}.new; mv {pid}.new {pid}; fi\ntest $1 -lt 300 && exec /bin/sh $0 $(($1 + 1))\n>{last}\nexec sleep 100\n")
    process = start(memtide, scenario(command=["/bin/sh", script, 0], run="timeout: 1h, clock: virtual"))
    try:
        wait_until(pid.exists)
        target = int(pid.read_text())
        with contextlib.suppress(ProcessLookupError):
            while process.poll() is None and not last.exists():
                os.kill(target, signal.SIGSTOP)
                os.kill(target, signal.SIGCONT)
                time.sleep(0.0005)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    (run,) = newest_campaign(memtide.results).runs()
    assert (run["outcome"], run["clock"]["ended"]) == ("ok", None), err
    assert_moved(run, 100)


# ---- which clock


def test_the_option_wins(memtide, scenario, stimulus):
    real = memtide("run", scenario("one", [stimulus("clock"), "nanosleep", 1], run="timeout: 9s, clock: virtual"), "--clock", "real").run()
    assert (real["clock"]["kind"], real["clock"]["jumps"], real["clock"]["skipped_s"]) == ("real", 0, 0)
    assert real["wall_s"] >= 1
    path = scenario("two", [stimulus("clock"), "nanosleep", LONG], run="timeout: 1h, clock: real")
    assert_moved(memtide("run", path, "--clock", "virtual").run(), LONG)


# ---- the supervisor's own time


def test_planned_end(virtual):
    run = virtual("clock", "nanosleep", 100000, run="for: 1h").run()
    assert (run["outcome"], run["ended_by"]) == ("ok", "supervisor")
    assert 3600 <= run["target_s"] < 3600.1 + run["wall_s"] and run["wall_s"] < QUICK


def test_timeout(virtual):
    run = virtual("clock", "nanosleep", 100000, run="timeout: 1h").run()
    assert (run["outcome"], run["ended_by"]) == ("timeout", "supervisor")
    assert 3600 <= run["target_s"] < 3600.1 + run["wall_s"] and run["wall_s"] < QUICK


# ---- records


def test_records(memtide, scenario, stimulus):
    """100 ms of baseline, 20 MiB for 60 s, and 60 s without them."""
    result = memtide("run", scenario(command=[stimulus("alloc"), 20, 60000, "drop"], run="timeout: 10min, clock: virtual"))
    run, samples = result.run(), result.campaign.samples()
    assert_moved(run, 120.1)
    at = {m["name"]: m["t_s"] for m in run["marks"]}
    assert 0.1 <= at["load"] < 0.1 + LATE
    assert 59.95 < at["dropped"] - at["loaded"] < 60 + LATE
    assert 59.95 < run["target_s"] - at["dropped"] < 60 + LATE

    times = [t for t, _, _ in samples]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= run["target_s"] + 0.001
    held = [rss for t, rss, _ in samples if at["loaded"] + 0.01 < t < at["loaded"] + 59.9]
    after = [rss for t, rss, _ in samples if t > at["dropped"] + 0.01]
    assert held and min(held) >= 20 * MIB, "nothing of what came after was sampled too early"
    assert after and max(after) < 20 * MIB, "nor anything of before too late"
    assert run["metrics"]["first_fall_s"] < 1
    assert run["damage"] is None


def test_cpu_time_is_not_skipped(virtual):
    run = virtual("clock", "nanosleep", LONG).run()
    assert run["metrics"]["cpu_s"] < 1


def test_campaign_says_which_clock(virtual):
    assert virtual("clock", "exit").campaign.info["clock"] == "virtual"


# ---- Go


@pytest.fixture
def go_program(memtide, scenario, toolchains):
    """go_program("clockprog", "-sleep", "30m") -> Result of it with each release, under a virtual clock."""

    def call(name, *args, releases=RELEASES, cgo=False, repeat=1):
        program = f"{{dir: {GO_STIMULI / name}, cgo: {str(cgo).lower()}}}"
        extra = f"args: {json.dumps(args)}\naxes: {{go: {json.dumps(releases)}}}"
        path = scenario(name, program=program, run=f"timeout: 10h, clock: virtual, repeat: {repeat}", extra=extra)
        return memtide("run", path, timeout=300)

    return call


@pytest.mark.parametrize(
    "args, seconds",
    [
        (["-sleep", "30m"], 1800),
        (["-timers"], 100),
        (["-http", "120"], 120),
        (["-timeouts", "60"], 60),
        (["-exec", "1h"], 3600),
        (["-cpu"], 60),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_go(go_program, args, seconds):
    result = go_program("clockprog", *args)
    runs = result.runs()
    assert len(runs) == len(RELEASES), result.err
    for run in runs:
        assert run["outcome"] == "ok", (run["cell"], run["why"], result.err)
        assert_moved(run, seconds)
        assert_not_late(run, result.campaign.run_dir(f"go={run['cell']['go']}"))


def test_cgo(go_program):
    result = go_program("clockcgo", cgo=True)
    runs = result.runs()
    assert len(runs) == len(RELEASES), result.err
    for run in runs:
        assert run["outcome"] == "ok", (run["cell"], run["why"], result.err)
        assert_moved(run, LONG)


@pytest.fixture(scope="session")
def go_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("go-cache")


def build_by_hand(memtide, release, cgo, flags, out, cache):
    """As a user builds: memtide builds in one way only."""
    known = json.loads(memtide("go", "list", "--json").out)
    matching = [t for t in known if release == "latest" or t["version"].startswith(release + ".")]
    goroot = max(matching, key=lambda t: [int(n) for n in t["version"].split(".")])["goroot"]
    env = {
        "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/root"), "GOROOT": goroot, "GOCACHE": str(cache),
        "GO111MODULE": "on", "GOENV": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": cgo, "CGO_CFLAGS": "-g -O2 -gdwarf-4",
    }  # fmt: skip
    command = [f"{goroot}/bin/go", "build", *flags, "-o", out, "."]
    done = subprocess.run(command, cwd=GO_STIMULI / "clockprog", env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("release", ["1.11", "latest"])
@pytest.mark.parametrize(
    "cgo, flags",
    [("0", []), ("1", []), ("0", ["-ldflags=-s -w"]), ("1", ["-buildmode=pie"]), ("1", ["-buildmode=pie", "-ldflags=-s -w"])],
    ids=["static", "dynamic", "stripped", "pie", "pie-stripped"],
)
def test_go_binaries(memtide, scenario, toolchains, tmp_path, go_cache, release, cgo, flags):
    binary = tmp_path / "clockprog"
    build_by_hand(memtide, release, cgo, flags, binary, go_cache)
    for args, seconds in (["-timers"], 100), (["-exec", "10m"], 600):
        result = memtide("run", scenario(args[0][1:], command=[binary, *args], run="timeout: 1h, clock: virtual"), "--out", tmp_path / args[0][1:])
        campaign = newest_campaign(tmp_path / args[0][1:])
        (run,) = campaign.runs()
        assert run["outcome"] == "ok", run["why"]
        assert_moved(run, seconds)
        assert_not_late(run, campaign.run_dir())


def test_twenty_repeats_without_an_outlier(memtide, scenario, toolchains):
    """What was dropped is given back in each of them, at one of the moments that this release has for it."""
    extra = 'args: [-sizes, "50MB"]\naxes: {go: [latest]}'
    path = scenario("repeats", program="allocate", run="for: 650s, clock: virtual, repeat: 20", extra=extra)
    runs = memtide("run", path, timeout=300).runs()
    assert len(runs) == 20
    for run in runs:
        assert_moved(run, 650)
        metrics = run["metrics"]
        assert metrics["peak_rss_bytes"] > 50 * MIB and metrics["released_share"] > 0.9
        assert 115 < metrics["first_fall_s"] < 310
    levels = [r["metrics"]["settled_rss_bytes"] for r in runs]
    assert max(levels) - min(levels) < 2 * MIB


def test_repeats_of_a_sleep(virtual):
    result = virtual("clock", "nanosleep", LONG, run="timeout: 1h, repeat: 20")
    runs = result.runs()
    assert len(runs) == 20
    for repeat, run in enumerate(runs, 1):
        assert_moved(run, LONG)
        assert LONG - 0.001 <= own_time(result, repeat) < LONG + 0.02 + run["wall_s"]


def test_side_by_side(virtual):
    result = virtual("clock_family", "tcp", LONG, run="timeout: 1h, repeat: 4", options=["--jobs", "4"])
    runs = result.runs()
    assert len(runs) == 4
    for run in runs:
        assert_moved(run, LONG)


# ---- both clocks


def test_both_clocks_agree(memtide, build, tmp_path, toolchains):
    """`make validate-clock`, with a short life: what it must find equal on any machine, however busy."""
    report = tmp_path / "report.md"
    argv = [ROOT / "harness/drivers/validate_clock.py", f"--memtide={build}/memtide", "--go", "1.11,1.13,1.16,latest", "--for", "6s", "--repeat", "3"]
    done = subprocess.run(["python3", *argv, "--results", tmp_path / "both", "--out", report], capture_output=True, text=True, timeout=200)
    assert report.exists(), done.stderr
    odd = report.read_text().split("## What did not agree")[1].split("## All values")[0]
    for quantity in ("RSS", "LazyFree", "First fall", "Release", "arbage collections", "clock:"):
        assert quantity not in odd, odd
    assert re.search(r"\| Settled RSS[^|]*\| ([1-9]\d*) of \1 ", report.read_text())


# ---- a load


def test_a_service_and_its_load(memtide, scenario, toolchains):
    """20 requests, one every 40 s, and an hour's pause, twice: none is slow by the client's clock."""
    extra = (
        'args: [-serve, -addr, "127.0.0.1:{port}"]\naxes: {go: [1.11, latest]}\nready: {mark: listening}\n'
        'load: {args: [-load, -addr, "127.0.0.1:{port}", -days, "2", -requests, "20", -every, 40s, -night, 1h]}'
    )
    result = memtide("run", scenario("service-short", program="service", run="timeout: 10h, clock: virtual!", extra=extra))
    runs = result.runs()
    assert len(runs) == 2, result.err
    for run in runs:
        assert (run["load"]["exit_code"], run["load"]["signal"]) == (0, None), (run["why"], result.err)
        assert run["load"]["end_s"] - run["load"]["begin_s"] == pytest.approx(2 * (20 * 40 + 3600), rel=0.001)
        assert run["load"]["clock"] == "virtual"
        assert_moved(run, 2 * (20 * 40 + 3600))
        assert run["metrics"]["peak_rss_bytes"] > 10 * MIB


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_a_load_that_fails(memtide, scenario, stimulus, clock):
    """Told with its exit code; one that never begins, with what it waited for."""
    sleeps = [stimulus("clock"), "nanosleep", 3]
    extra = "load: {command: [sh, -c, 'echo no; exit 7']}"
    result = memtide("run", scenario("fails", command=sleeps, run=f"for: 2s, clock: {clock}", extra=extra))
    run = result.run()
    assert (run["outcome"], run["load"]["exit_code"]) == ("harness-error", 7), result.err
    assert "code 7" in run["why"] and (result.campaign.run_dir() / "load-output").read_text() == "no\n"
    assert [m["name"] for m in run["marks"]] == ["load", "after-load"]
    extra = "load: {command: [sh, -c, 'true']}\nready: {mark: listening}"
    result = memtide("run", scenario("waits", command=sleeps, run=f"for: 2s, clock: {clock}", extra=extra), "--out", "waits")
    assert "listening" in result.err and result.code == 125


def test_a_target_that_dies_under_load(memtide, scenario):
    """What happened to it is the outcome, not what its load says about that."""
    extra = "load: {command: [sh, -c, 'sleep 2; exit 1']}"
    command = ["/bin/sh", "-c", "sleep 1; exit 5"]
    run = memtide("run", scenario("dies", command=command, run="timeout: 1min, clock: virtual", extra=extra)).run()
    assert (run["outcome"], run["exit_code"]) == ("exit", 5)
    assert run["load"]["end_s"] is None, "it was ended with the run"


def test_wrk(memtide, scenario, toolchains):
    """A load that never rests: it works, or it is told why not."""
    if not shutil.which("wrk"):
        pytest.skip("prerequisite: wrk")
    extra = (
        'args: [-serve, 1h, -addr, "127.0.0.1:{port}"]\naxes: {go: [latest]}\nready: {port: true}\n'
        'load: {command: [wrk, -t2, -c8, -d10s, "http://127.0.0.1:{port}/"]}'
    )
    path = scenario("wrk", program=f"{{dir: {GO_STIMULI / 'clockprog'}}}", run="timeout: 2h, clock: virtual", extra=extra)
    run = memtide("run", path, timeout=60).run()
    assert run["outcome"] == "ok", run["why"]
    assert run["load"]["exit_code"] == 0
    assert run["load"]["end_s"] - run["load"]["begin_s"] == pytest.approx(10, abs=2)
    assert run["clock"]["ended"] is None or run["clock"]["ended"]["why"]


# ---- less than all rights


@pytest.fixture
def as_nobody(run_of_nobody):
    """as_nobody("clock", "nanosleep", 300) -> (CompletedProcess, results): under a virtual clock, by an ordinary user."""

    def call(program, *how):
        text = lambda path: (
            "name: user\ntitle: May a user do this?\nrun: {timeout: 1h, clock: virtual!}\n"
            f"program: {{command: {json.dumps([path, *map(str, how)])}}}\n"
        )
        return run_of_nobody(f"stimuli/{program}", text, "--limit", "none")

    return call


@pytest.mark.parametrize("program, mode", [("clock", "nanosleep"), ("clock", "cond"), ("clock_family", "exec"), ("clock_family", "tcp")])
def test_an_ordinary_user(as_nobody, program, mode):
    done, results = as_nobody(program, mode, LONG)
    assert done.returncode == 0, done.stderr
    (run,) = newest_campaign(results).runs()
    assert_moved(run, LONG)


@pytest.mark.parametrize("clock", ["virtual", "virtual!"])
def test_where_tracing_is_refused(virtual, stimulus, memtide, clock):
    """It is told, with the reason; without the `!` real time would do. (No path that is told has the word in it.)"""
    result = virtual("clock", "nanosleep", 1, clock=clock, prefix=[str(stimulus("noptrace"))],
                     env={"ASAN_OPTIONS": "detect_leaks=0"})  # looking for leaks needs ptrace, too
    runs = newest_campaign(memtide.results).runs() if list(memtide.results.glob("*/campaign.json")) else []
    words = result.err + "".join(f"{r['why']} {r['clock']}" for r in runs)
    assert "ptrace" in words, words
    if clock == "virtual!" or result.code:
        assert result.code == 125, words
        assert all(r["outcome"] == "harness-error" for r in runs)
    else:
        assert [r["outcome"] for r in runs] == ["ok"]


# ---- an end from outside


@pytest.fixture
def restless(scenario, tmp_path):
    """(scenario, processes): a shell that starts a sleeper every 100 virtual seconds, for ever; and who is left of them."""
    for name in ("sh", "sleep"):
        shutil.copy(os.path.realpath(shutil.which(name)), tmp_path / name)
    command = [tmp_path / "sh", "-c", f"while :; do {tmp_path}/sleep 100; done"]

    def processes():
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "exe").startswith(f"{tmp_path}/s"):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    yield scenario(command=command, run="for: 8000h, clock: virtual"), processes
    for pid in processes():
        os.kill(pid, signal.SIGKILL)


def start(memtide, path):
    argv = [memtide.binary, "run", str(path), "--out", str(memtide.results), "--no-plot"]
    env = {**os.environ, "MEMTIDE_HOME": str(ROOT)}
    return subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("attempt", range(5))
def test_ctrl_c(memtide, restless, attempt):
    """At five moments: in the midst of a fork, an exec, a jump."""
    path, processes = restless
    process = start(memtide, path)
    seen = set()
    try:
        wait_until(lambda: len(seen.update(processes()) or seen) > 2)  # the shell, and two sleepers: time has jumped
        time.sleep(attempt * 0.0137)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 3, err
    assert processes() == []
    (run,) = newest_campaign(memtide.results).runs()
    assert run["outcome"] == "interrupted"
    assert run["target_s"] > run["wall_s"], "it was on a virtual clock"
    assert_adds_up(run)


def test_a_killed_memtide(memtide, restless, scenario):
    """Whatever of the run outlives it is gone after memtide's next start."""
    path, processes = restless
    process = start(memtide, path)
    try:
        wait_until(processes)
        time.sleep(0.3)
    finally:
        process.kill()
        process.communicate()
    assert memtide("run", scenario("next", command=["/bin/true"])).code == 0
    wait_until(lambda: not processes())
