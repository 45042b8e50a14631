# SPDX-License-Identifier: Apache-2.0
"""A Go process read from outside, held against what its own runtime.ReadMemStats says, release by release."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from conftest import RELEASES, ROOT, TURNING_POINTS, wait_until
from live_go import goroots, run_go

SOURCES = ROOT / "harness/tests/stimuli/go/memstats"
SPAN = 16 << 10  # what ReadMemStats itself may allocate
LOOKS = 100_000


class Builder:
    """Builds a stimulus with a release and flags, each once."""

    def __init__(self, build, folder):
        self.goroots = goroots(build)
        self.folder = folder

    @property
    def newest(self):
        return max(self.goroots)

    def run(self, minor, *args, cgo=False, cwd=SOURCES, **more):
        run_go(self.goroots[minor], self.folder, cwd, *args, cgo=cgo, CGO_CFLAGS="-g -O2 -gdwarf-4", **more)

    def __call__(self, minor, *flags, cgo=False, experiment=""):
        out = self.folder / f"1.{minor}-{'cgo' if cgo else 'go'}{experiment}{''.join(flags).replace(' ', '').replace('=', '-')}"
        if not out.exists():
            sources = SOURCES
            if cgo:
                sources = self.folder / "with-cgo"
                if not sources.exists():
                    shutil.copytree(SOURCES, sources)
                    (sources / "c.go").write_text("package main\n\n// int own(void) { return 1; }\nimport \"C\"\n\nvar _ = C.own()\n")
            self.run(minor, "build", *flags, "-o", out, ".", cgo=cgo, cwd=sources, GOEXPERIMENT=experiment)
        return out


class Live:
    """The stimulus, running, with a gopeek beside it."""

    def __init__(self, build, binary, env=None):
        self.process = subprocess.Popen(
            [binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env={"PATH": os.environ["PATH"], **(env or {})}
        )
        self.gopeek = build / "probe/gopeek"
        self.server = None

    def __enter__(self):
        self.tell("stat")  # it has begun
        return self

    def __exit__(self, *_):
        for process in (self.server, self.process):
            if process:
                process.kill()
                process.communicate()

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        return json.loads(self.process.stdout.readline())

    def peek(self, *args):
        done = subprocess.run([self.gopeek, str(self.process.pid), *map(str, args)], capture_output=True, text=True, timeout=120)
        assert "Sanitizer" not in done.stderr, done.stderr
        return json.loads(done.stdout)

    def look(self):
        if not self.server:
            self.server = subprocess.Popen(
                [self.gopeek, str(self.process.pid), "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
        # One that raced with the runtime gives nothing out, and another is taken.
        for _ in range(50):
            self.server.stdin.write("\n")
            look = json.loads(self.server.stdout.readline())
            if look["look"] != "raced":
                break
        return look


def wanted(stats):
    """What is read from outside, in the terms of runtime.MemStats: readings.h."""
    goal = stats["NextGC"]
    return {
        "heap_inuse_bytes": stats["HeapInuse"],
        "heap_idle_bytes": stats["HeapIdle"] - stats["HeapReleased"],
        "heap_released_bytes": stats["HeapReleased"],
        "stacks_bytes": stats["StackInuse"],
        "runtime_bytes": stats["Sys"] - stats["HeapSys"] - stats["StackInuse"],
        "gc_goal_bytes": None if goal == 2**64 - 1 or goal > 2**60 else goal,
        "gc_count": stats["NumGC"],
        "goroutines": stats["NumGoroutine"],
    }


def assert_equal(live, command):
    """ReadMemStats before and after are the same: then what was read between them has to be that, to the byte. Where they never are
    (a scavenger at work, next to a memory limit), it lies between them, or a few spans beside."""
    before, between, after = live.tell(command), None, None
    for _ in range(50):
        time.sleep(0.01)
        before = live.tell("stat")
        look = live.look()
        after = live.tell("stat")
        assert look["look"] == "ok", look
        between = {k: look[k] for k in wanted(before)}
        if wanted(before) == wanted(after):
            assert between == wanted(before), command
            return look
    for key, value in between.items():
        low, high = sorted((wanted(before)[key], wanted(after)[key]))
        assert low - 4 * SPAN <= value <= high + 4 * SPAN, (command, key)
    return look


COMMANDS = ["stat", "alloc 50", "drop", "park 500", "unpark 300", "alloc 20", "free", "procs 3", "park 900", "unpark 1000"]


def check_all(live, minor):
    for command in COMMANDS:
        look = assert_equal(live, command)
    assert look["gogc"] == 100 and look["gomaxprocs"] == 3
    assert look["version"].startswith(f"go1.{minor}")
    assert look["threads_made"] >= 3
    assert look["madvdontneed"] == (0 if 12 <= minor <= 15 else 1)
    assert look["memory_limit_bytes"] == ("off" if minor >= 19 else None)
    assert assert_equal(live, "gogc 50")["gogc"] == 50
    # With a goal by a memory limit, below and above what there is.
    for limit in (300, 60, 3) if minor >= 19 else ():
        look = assert_equal(live, f"limit {limit}")
        assert look["memory_limit_bytes"] == limit << 20
        assert_equal(live, "alloc 30")
        assert_equal(live, "drop")
    assert assert_equal(live, "gogc -1")["gogc"] == "off"
    assert live.look()["gc_goal_bytes"] is None or minor >= 19


def check_marked(live):
    """What the last collection found alive: nobody knows before the first, then what is kept, and not what came or died since."""
    slack = 1 << 20  # the rest of the program
    assert live.look()["heap_marked_bytes"] is None or live.look()["gc_count"] > 0
    for command, kept in (("alloc 50", None), ("gc", 50), ("alloc 20", None), ("gc", 70), ("drop", 0), ("alloc 3", None), ("gc", 3)):
        before = live.look()
        live.tell(command)
        look = live.look()
        if kept is not None:
            assert kept << 20 <= look["heap_marked_bytes"] <= (kept << 20) + slack, command
        elif look["gc_count"] == before["gc_count"]:
            assert look["heap_marked_bytes"] == before["heap_marked_bytes"], command


@pytest.fixture(scope="module")
def builder(build, toolchains, tmp_path_factory):
    return Builder(build, tmp_path_factory.mktemp("memstats"))


def pytest_generate_tests(metafunc):
    if "minor" in metafunc.fixturenames:
        path = ROOT / metafunc.config.getoption("--build")
        found = goroots(path) if (path / "memtide").exists() else {}
        fetched = {int(r.split(".")[1]) for r in RELEASES + TURNING_POINTS if r != "latest"}
        metafunc.parametrize("minor", sorted(fetched | set(found) | {99}))  # 99: the newest


def test_what_the_last_collection_found_alive(build, builder, minor):
    minor = min(minor, builder.newest)
    with Live(build, builder(minor)) as live:
        check_marked(live)
    # Without collections nothing is known, whatever the runtime has made up to begin with.
    with Live(build, builder(minor), env={"GOGC": "off"}) as live:
        live.tell("alloc 10")
        look = live.look()
        assert look["gc_count"] == 0 and look["heap_marked_bytes"] is None
        live.tell("gc")
        assert 10 << 20 <= live.look()["heap_marked_bytes"] <= 11 << 20


def test_every_value_on_every_release(build, builder, minor):
    minor = min(minor, builder.newest)
    with Live(build, builder(minor)) as live:
        assert live.look()["source"] == "dwarf"
        check_all(live, minor)


@pytest.mark.parametrize("release", [11, 19, 99])
@pytest.mark.parametrize("variant", ["pie", "cgo", "cgo-pie", "uncompressed", "static"])
def test_however_it_is_linked(build, builder, release, variant):
    release = min(release, builder.newest)
    flags = {"pie": ["-buildmode=pie"], "cgo-pie": ["-buildmode=pie"], "uncompressed": ["-ldflags=-compressdwarf=false"]}.get(variant, [])
    if variant == "static":
        flags = ["-ldflags=-linkmode external -extldflags -static"]
    cgo = variant in ("cgo", "cgo-pie", "static")
    with Live(build, builder(release, *flags, cgo=cgo)) as live:
        look = live.look()
        assert look["source"] == "dwarf" and look["cgo"] in ([1, None] if cgo else [0])
        check_all(live, release)


@pytest.mark.parametrize("release", [11, 16, 18, 19, 99])
def test_without_debug_information(build, builder, release):
    """Linked with -w: the symbols of this binary, the offsets of a program built for it. -ldflags=-w takes no symbol away."""
    release = min(release, builder.newest)
    with Live(build, builder(release, "-ldflags=-w")) as live, Live(build, builder(release)) as whole:
        assert live.look()["source"] == "symbols"
        check_all(live, release)
        # Where a name lies in its variable is the same, and which name it is.
        got, want = live.peek("layout"), whole.peek("layout")
        assert {k: (v[0], v[2]) for k, v in got.items() if want[k][2]} == {k: (v[0], v[2]) for k, v in want.items() if v[2]}


# One that changes the size of a struct that is read (every mutex has a rank); two that do not.
@pytest.mark.parametrize("release, experiment", [(22, "staticlockranking"), (24, "noswissmap"), (21, "boringcrypto")])
def test_without_debug_information_with_an_experiment(build, builder, release, experiment):
    """The offsets are those of the same release with the same experiment."""
    with Live(build, builder(release, "-ldflags=-w", experiment=experiment)) as live:
        look = live.look()
        assert look["source"] == "symbols" and experiment in look["version"]
        check_all(live, release)


@pytest.mark.parametrize("words", ["X:strictfipsruntime", "(Red Hat 1.23)"])
def test_without_debug_information_of_a_distributor(build, builder, tmp_path, words):
    """Its words are no release's, and an experiment of its own no toolchain of Go's knows; its structs are those of the release."""
    # Built with an experiment of equal length to have room for other words.
    binary = shutil.copy(builder(23, "-ldflags=-w", experiment="cacheprog,rangefunc"), tmp_path / "service")
    content = binary.read_bytes()
    old = next(content[at : at + 40].split(b"\n")[0] for at in [content.index(b"go1.23.")])
    old = b" X:" + old.split(b" X:")[1][: len("cacheprog,rangefunc")]
    assert old in content
    binary.write_bytes(content.replace(old, (b" " + words.encode()).ljust(len(old))))
    with Live(build, binary) as live:
        look = live.look()
        assert look["source"] == "symbols" and words in look["version"]
        check_all(live, 23)


def test_without_symbols_too(build, builder):
    with Live(build, builder(builder.newest, "-ldflags=-s -w")) as live:
        answer = live.peek()
        assert answer["refused"] == "layout"
        assert f"(go1.{builder.newest}" in answer["text"] and "neither debug information nor symbols" in answer["text"]
        assert "the kernel counts is still measured" in answer["text"]


def test_without_the_toolchain(build, builder, tmp_path):
    """The offsets of a release come from its toolchain: where that is not here, the command that fetches it is told."""
    # A toolchain in /usr/local/go would be found whatever the environment says.
    release = next(minor for minor in sorted(builder.goroots) if builder.goroots[minor] != "/usr/local/go")
    with Live(build, builder(release, "-ldflags=-w")) as live:
        version = live.look()["version"]
        bare = {"PATH": "/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "GOMODCACHE": str(tmp_path)}
        answer = refusal(build, live.process.pid, env=bare)
        assert answer["refused"] == "layout" and "-ldflags=-w" in answer["text"]
        assert answer["text"].endswith(f"memtide go fetch {version[2:]}")


@pytest.mark.parametrize("release", [11, 16, 19, 99])
def test_while_everything_changes(build, builder, release):
    """Allocations, stacks, collections and readers of ReadMemStats and of metrics, all at once: nothing that is read is impossible."""
    release = min(release, builder.newest)
    with Live(build, builder(release)) as live:
        live.tell("park 200")
        live.tell("churn 4")
        seen = live.peek("many", LOOKS)
        calm = live.tell("calm")
        assert seen["ok"] + seen["raced"] == LOOKS
        assert seen["ok"] > LOOKS * 0.95, seen
        # 32 at a time move between a P's free Gs and the common ones; up to 8 more live in each of the churning ones.
        least, most, *_ = seen["goroutines"]
        assert 201 - 2 * 64 <= least and most <= 201 + 4 + 4 * 8 + 2 * 64, seen
        # Nothing but the churning ones has stacks that come and go: a sum that counted a generation of stacks double has more.
        least, most, step, _ = seen["stacks_bytes"]
        assert most < 8 << 20 and least >= 200 * 2048 and step < 2 << 20, seen
        assert seen["heap_inuse_bytes"][1] <= calm["Sys"] and seen["heap_idle_bytes"][1] <= calm["Sys"]
        assert seen["runtime_bytes"][1] < 32 << 20 and seen["runtime_bytes"][2] < 4 << 20
        # However many there were between two looks, it never falls.
        assert seen["gc_count"][3] == 0 and seen["gc_count"][1] <= calm["NumGC"]


def refusal(build, pid, **more):
    done = subprocess.run([build / "probe/gopeek", str(pid)], capture_output=True, text=True, timeout=60, **more)
    assert done.returncode == 1, done.stdout
    return json.loads(done.stdout)


def test_refused_no_such_process(build):
    answer = refusal(build, 2**22 + 5)
    assert answer["refused"] == "gone" and "no process" in answer["text"]


def test_refused_zombie(build):
    process = subprocess.Popen(["true"])
    wait_until(lambda: open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()[0] == "Z")
    answer = refusal(build, process.pid)
    process.wait()
    assert answer["refused"] == "gone" and "has exited" in answer["text"]


def test_refused_no_go(build, stimulus):
    process = subprocess.Popen(["sleep", "60"])
    try:
        answer = refusal(build, process.pid)
        assert answer["refused"] == "not go" and "no Go binary" in answer["text"]
    finally:
        process.kill()
        process.wait()


def test_refused_kernel_thread(build):
    try:
        kernel = open("/proc/2/stat").read().split()[1]
    except OSError:
        kernel = ""
    if kernel != "(kthreadd)":
        pytest.skip("prerequisite: threads of the kernel are seen here")
    answer = refusal(build, 2)
    assert answer["refused"] == "not go" and "kernel" in answer["text"]


def test_refused_another_users(build, builder, needs_root):
    """As nobody, of a process of root: told whose it is, and what to do."""
    with Live(build, builder(builder.newest)) as live:
        probe = shutil.copy(build / "probe/gopeek", "/tmp/memtide-test-gopeek")
        try:
            done = subprocess.run([probe, str(live.process.pid)], capture_output=True, text=True, user="nobody", timeout=60)
        finally:
            os.unlink(probe)
        answer = json.loads(done.stdout)
        assert done.returncode == 1 and answer["refused"] == "rights"
        assert "belongs to user 0" in answer["text"] and "as root" in answer["text"]


def test_an_exec_is_noticed(build, builder):
    """Even of the same file: its memory is another."""
    binary = builder(builder.newest)
    with Live(build, binary) as live:
        assert live.look()["same"] is True
        assert live.tell(f"exec {binary}") == {}
        live.tell("stat")
        assert live.look()["same"] is False


def test_a_binary_replaced_on_disk(build, builder, tmp_path):
    """Deleted while it runs, and another one in its place: what runs is what is read."""
    binary = shutil.copy(builder(builder.newest), tmp_path / "service")
    with Live(build, binary) as live:
        os.unlink(binary)
        shutil.copy(builder(11), binary)
        look = live.look()
        assert look["look"] == "ok" and look["version"].startswith(f"go1.{builder.newest}") and look["same"] is True
        assert_equal(live, "alloc 10")


def test_before_the_runtime_is_there(build, builder):
    """Stopped right after exec by the kernel (a traced exec): every counter is still zero, which is not what there is."""
    libc = ctypes.CDLL(None, use_errno=True)

    def trace_me():
        libc.ptrace(0, 0, None, None)

    process = subprocess.Popen([builder(builder.newest)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=trace_me)
    try:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        answer = json.loads(
            subprocess.run([build / "probe/gopeek", str(process.pid)], capture_output=True, text=True, timeout=60).stdout
        )
        assert answer["look"] == "early"
        assert answer["gogc"] is None and answer["gomaxprocs"] is None
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.communicate()
