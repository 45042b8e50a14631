# SPDX-License-Identifier: Apache-2.0
"""`memtide attach PID`: processes that memtide did not start, which must not notice."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest
from conftest import RELEASES, ROOT, Campaign, newest_campaign, wait_until

SOURCES = ROOT / "harness/tests/stimuli/go/service"
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]


@pytest.fixture(scope="session")
def service_of(build, toolchains, tmp_path_factory):
    """service_of("1.16", "-ldflags=-s -w") -> path of the service's binary"""
    listed = json.loads(subprocess.run([build / "memtide", "go", "list", "--json"], capture_output=True, text=True, check=True).stdout)
    here = [t for t in listed if t["here"] and re.fullmatch(r"[0-9.]+", t["version"])]
    key = lambda t: tuple(map(int, t["version"].split(".")))
    folder = tmp_path_factory.mktemp("service")
    folder.parent.chmod(0o755)
    folder.parent.parent.chmod(0o755)
    folder.chmod(0o755)

    def make(release="latest", *flags):
        fits = here if release == "latest" else [t for t in here if (t["version"] + ".").startswith(release + ".")]
        goroot = max(fits, key=key)["goroot"]
        out = folder / re.sub(r"[^\w.]+", "-", f"service-{release}-{' '.join(flags)}").strip("-")
        if not out.exists():
            cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
            env = {
                "PATH": os.environ["PATH"], "HOME": str(folder), "GOROOT": goroot, "GOCACHE": f"{cache}/memtide/go-build", "GOENV": "off",
                "GOTOOLCHAIN": "local", "GOWORK": "off", "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0", "GOPATH": str(folder / "gopath"),
            }  # fmt: skip
            argv = [f"{goroot}/bin/go", "build", *flags, "-o", out, "."]
            done = subprocess.run(argv, cwd=SOURCES, env=env, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, done.stderr
        return out

    return make


class Service:
    """The service, running; it obeys tell()."""

    def __init__(self, binary, *args, prefix=(), **more):
        self.process = subprocess.Popen(
            [*map(str, prefix), str(binary), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **more
        )
        _, _, self.address, self.version = self.process.stdout.readline().split()
        self.pid = self.process.pid

    def tell(self, line, answered=True):
        self.process.stdin.write(line + "\n")
        if answered:
            assert self.process.stdout.readline() == f"done {line}\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def status(pid, thread=None):
    path = f"/proc/{pid}/task/{thread}/status" if thread else f"/proc/{pid}/status"
    return dict(line.split(":\t", 1) for line in pathlib.Path(path).read_text().splitlines() if ":\t" in line)


class Attach:
    """attach(pid, "--for", "1s") -> a finished attach with its record"""

    def __init__(self, build, results):
        self.build, self.results = build, results
        self.env = {**os.environ, "MEMTIDE_HOME": str(ROOT)}

    def argv(self, *args, prefix=()):
        return [*map(str, prefix), str(self.build / "memtide"), "attach", *map(str, args), "--out", str(self.results), "--no-plot"]

    def __call__(self, *args, prefix=(), timeout=60):
        done = subprocess.run(
            self.argv(*args, prefix=prefix), capture_output=True, text=True, timeout=timeout, env=self.env, stdin=subprocess.DEVNULL
        )
        assert "Sanitizer" not in done.stderr, done.stderr
        assert done.returncode >= 0, done.stderr
        return done

    @contextlib.contextmanager
    def going_on(self, *args):
        """While it goes on; leaves when it has ended. Yields the Popen."""
        p = subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env)
        try:
            wait_until(lambda: list(self.results.glob("*/default/1/samples.tsv.zst")) or p.poll() is not None)
            time.sleep(0.4)
            yield p
            p.out, p.err = p.communicate(timeout=60)
            assert "Sanitizer" not in p.err, p.err
        finally:
            p.kill()
            p.wait()

    @property
    def campaign(self):
        return newest_campaign(self.results)

    @property
    def run(self):
        runs = self.campaign.runs()
        assert len(runs) == 1
        return runs[0]

    def table(self, name):
        path = self.campaign.run_dir() / name
        text = subprocess.run(["zstdcat", path], capture_output=True, check=True, text=True).stdout
        rows = [line.split("\t") for line in text.splitlines()]
        names = rows[1]
        return [dict(zip([n.lstrip("# ") for n in names], r)) for r in rows if not r[0].startswith("#")]

    def snapshots(self):
        return json.loads((self.campaign.run_dir() / "goroutines.json").read_text())["snapshots"]


@pytest.fixture
def attach(build, tmp_path):
    return Attach(build, tmp_path / "results")


# ---- the record ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", RELEASES)
def test_a_service_of_each_release(attach, service_of, release):
    with Service(service_of(release)) as s:
        s.tell("leak 300")
        s.tell("hold 50")
        with attach.going_on(s.pid, "--for", "3s") as p:
            s.tell("leak 200")
        assert p.returncode == 0, p.err
        assert s.process.poll() is None
        run = attach.run
        assert (run["outcome"], run["ended_by"], run["exit_code"], run["args"], run["env"]) == ("ok", "supervisor", None, [], {})
        assert run["runtime"]["read"] and run["runtime"]["version"] == s.version
        assert run["attached"]["pid"] == s.pid and run["attached"]["exe"].endswith(f"service-{release}")
        assert run["scenario"] == f"attach-service-{release}"
        begin, end = attach.snapshots()[0], attach.snapshots()[-1]
        assert (begin["at"], end["at"]) == ("attached", "end")
        assert end["total"] - begin["total"] == 200
        leaked = max(end["groups"], key=lambda g: g["count"])
        assert leaked["count"] == 500 and leaked["function"] == "main.leak" and leaked["file"].endswith("service/main.go")
        assert 49 << 20 < run["metrics"]["objects_settled_bytes"] < 55 << 20
        assert run["runtime"]["splits"] >= 3
        assert run["mechanism"] == "live-heap"


def test_what_was_before_does_not_count(attach, service_of):
    """High-water mark, CPU time and faults are those since the attaching."""
    with Service(service_of()) as s:
        s.tell("hold 200")
        subprocess.run(["true"])
        before = status(s.pid)
        s.process.send_signal(signal.SIGSTOP)  # it does nothing at all meanwhile, and is read all the same
        assert attach(s.pid, "--for", "1s").returncode == 0
        s.process.send_signal(signal.SIGCONT)
        metrics = attach.run["metrics"]
        assert int(before["VmHWM"].split()[0]) > 200 << 10
        assert metrics["cpu_s"] == 0 and metrics["minor_faults"] == 0
        assert all(row["hwm_bytes"] == "-" for row in attach.table("probes.tsv.zst"))
        assert attach.run["runtime"]["read"]


def test_all_commands_work_on_it(attach, service_of, memtide):
    with Service(service_of()) as s:
        assert attach(s.pid, "--for", "1s").returncode == 0
    campaign = attach.campaign
    assert memtide("show", campaign.path).code == 0
    assert json.loads(memtide("export", campaign.path, "--format", "json").out)
    assert memtide("plot", campaign.path).code == 0
    assert campaign.info["scenario"].startswith("attach-service")
    # What somebody else runs is not started a second time.
    assert "it is not run again" in re.sub(r"\s+", " ", memtide("diagnose", "--confirm", campaign.path).out)
    assert not (campaign.path / "confirm").exists()


def test_json_is_all_that_is_printed(build, service_of, tmp_path):
    with Service(service_of()) as s:
        argv = [build / "memtide", "attach", str(s.pid), "--for", "1s", "--json", "--no-plot"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=tmp_path, env={**os.environ, "MEMTIDE_HOME": str(ROOT)})
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["runs"][0]["attached"]["pid"] == s.pid


def test_two_at_a_time(attach, service_of, build, tmp_path):
    with Service(service_of()) as s:
        with attach.going_on(s.pid, "--for", "3s") as p:
            second = Attach(build, tmp_path / "others")
            assert second(s.pid, "--for", "1s").returncode == 0
            assert second.run["runtime"]["read"]
        assert p.returncode == 0 and attach.run["runtime"]["read"]


def test_left_early_the_record_is_kept_and_the_target_goes_on(attach, service_of):
    with Service(service_of()) as s:
        with attach.going_on(s.pid, "--for", "60s") as p:
            p.send_signal(signal.SIGINT)
        assert (p.returncode, attach.run["outcome"]) == (1, "interrupted"), p.err
        time.sleep(0.2)
        assert s.process.poll() is None
        s.tell("leak 1")


# ---- the target's end, and what it becomes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how, outcome", [("exit 0", "ok"), ("exit 3", "exit"), (signal.SIGSEGV, "signal")])
def test_a_target_that_ends(attach, service_of, how, outcome):
    with Service(service_of()) as s:
        with attach.going_on(s.pid, "--for", "60s") as p:
            if isinstance(how, str):
                s.tell(how, answered=False)
            else:
                s.process.send_signal(signal.SIGKILL if how == signal.SIGSEGV else how)
            s.process.wait()
        run = attach.run
        assert run["ended_by"] == "program" and run["target_s"] < 30
        assert len(attach.campaign.samples()) >= 1
        if run["exit_code"] is None and run["signal"] is None:
            assert (run["outcome"], p.returncode) == ("exit", 1)  # a kernel that does not tell
            assert "only its parent knows" in run["why"]
        else:
            assert (run["outcome"], p.returncode) == (outcome, 0 if outcome == "ok" else 1)
            assert run["exit_code"] == {"ok": 0, "exit": 3}.get(outcome)


def test_a_target_that_begins_another_go_program(attach, service_of):
    with Service(service_of("1.16")) as s:
        s.tell("hold 100")
        with attach.going_on(s.pid, "--for", "6s") as p:
            time.sleep(1)
            s.tell(f"exec {service_of()}", answered=False)
            assert s.process.stdout.readline().startswith("ready")
        assert p.returncode == 0, p.err
        run = attach.run
        assert [m["name"] for m in run["marks"]] == ["attached", "exec"]
        assert run["runtime"]["version"] != s.version and run["runtime"]["read"]
        rows = attach.table("go.tsv.zst")
        gap = next(i for i, r in enumerate(rows) if r["heap_inuse_bytes"] == "-")
        assert int(rows[gap - 1]["heap_inuse_bytes"]) > 100 << 20
        assert all(int(r["heap_inuse_bytes"]) < 20 << 20 for r in rows[gap + 1 :]) and rows[gap + 1 :]


def test_a_target_that_begins_a_program_that_is_not_go(attach, service_of):
    with Service(service_of()) as s:
        with attach.going_on(s.pid, "--for", "3s") as p:
            time.sleep(0.5)
            s.tell(f"exec {shutil.which('sleep')} 60", answered=False)
            wait_until(lambda: "sleep" in os.readlink(f"/proc/{s.pid}/exe"))
        assert p.returncode == 0, p.err
        run = attach.run
        assert [m["name"] for m in run["marks"]] == ["attached", "exec"]
        assert "no Go binary" in run["runtime"]["why"]
        assert attach.campaign.samples()[-1][1] < 10 << 20


# A pid is used again only after some 32 000 others; in a pid namespace of one's own the next one can be asked for.
REUSED = """
import os, subprocess, sys, time
def become(pid):
    open("/proc/sys/kernel/ns_last_pid", "w").write(str(pid - 1))
    p = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    p.stdout.readline()
    return p
first = become(500)
memtide = subprocess.Popen(sys.argv[2:], stdout=sys.stderr)
time.sleep(1.5)
first.kill(); first.wait()
second = become(500)
second.stdin.write("hold 300\\n"); second.stdout.readline()
print(first.pid, second.pid, memtide.wait(), flush=True)
second.kill()
"""


def test_a_pid_that_is_used_again_is_another_process(attach, service_of, needs_root):
    argv = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", REUSED, str(service_of()), *attach.argv(500, "--for", "20s")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=attach.env)
    if "ns_last_pid" in done.stderr:
        pytest.skip("prerequisite: /proc/sys/kernel/ns_last_pid")
    first, second, code = map(int, done.stdout.split())
    assert first == second == 500, done.stderr
    run = attach.run
    assert run["ended_by"] == "program" and run["target_s"] < 10
    assert max(rss for _, rss, _ in attach.campaign.samples() if rss) < 100 << 20
    assert all(r["heap_inuse_bytes"] == "-" or int(r["heap_inuse_bytes"]) < 100 << 20 for r in attach.table("go.tsv.zst"))


# ---- kinds of targets ------------------------------------------------------------------------------------------------------------------


def test_not_go_at_all(attach):
    p = subprocess.Popen(["sleep", "60"])
    try:
        done = attach(p.pid, "--for", "1s")
        assert done.returncode == 0 and "Only what the kernel tells of it" in done.stderr and "no Go binary" in done.stderr
        assert attach.run["runtime"]["read"] is False and attach.run["metrics"]["settled_rss_bytes"] > 0
    finally:
        p.kill()
        p.wait()


def test_stripped_of_everything(attach, service_of):
    with Service(service_of("latest", "-ldflags=-s -w")) as s:
        done = attach(s.pid, "--for", "1s")
        assert done.returncode == 0 and "Only what the kernel tells of it" in done.stderr
        assert s.version in done.stderr and "neither debug information nor symbols" in done.stderr
        assert attach.run["runtime"]["read"] is False and "neither" in attach.run["runtime"]["why"]


def test_a_binary_that_was_replaced(attach, service_of, tmp_path):
    binary = tmp_path / "upgraded"
    shutil.copy(service_of("1.16"), binary)
    with Service(binary) as s:
        s.tell("leak 77")
        new = tmp_path / "new"
        shutil.copy(service_of(), new)
        new.rename(binary)
        assert attach(s.pid, "--for", "1s").returncode == 0
        run = attach.run
        assert run["runtime"]["version"] == s.version
        assert run["attached"]["exe_deleted"] and run["attached"]["exe"] == str(binary)
        assert attach.snapshots()[-1]["groups"][0]["count"] == 77


def test_a_binary_that_was_removed(attach, service_of, tmp_path):
    binary = tmp_path / "removed"
    shutil.copy(service_of(), binary)
    with Service(binary) as s:
        binary.unlink()
        assert attach(s.pid, "--for", "1s").returncode == 0
        assert attach.run["runtime"]["read"] and attach.run["attached"]["exe_deleted"]


def zombie():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def test_numbers_that_are_no_process(attach, service_of):
    dead = zombie()
    gone = subprocess.Popen(["true"])
    gone.wait()
    with Service(service_of()) as s:
        thread = next(int(t) for t in os.listdir(f"/proc/{s.pid}/task") if int(t) != s.pid)
        cases = [
            (thread, f"{thread} is a thread of process {s.pid}"),
            (dead, "has exited: only its entry is left"),
            (gone.pid, f"there is no process {gone.pid}"),
            (0, "no number of a process"),
            (-5, "Try `memtide attach --help'"),
            ("x1", "'x1' is no number of a process"),
            ("99999999999999999999", "is no number of a process"),
            ("", "is no number of a process"),
        ]
        if os.path.exists("/proc/2/comm") and pathlib.Path("/proc/2/comm").read_text() == "kthreadd\n":
            cases.append((2, "a thread of the kernel"))
        for number, says in cases:
            done = attach(number, "--for", "1s")
            assert done.returncode == 2 and says in done.stderr, (number, done.stderr)
    os.waitpid(dead, 0)
    assert not list(attach.results.glob("*"))


def test_its_own_number(attach):
    script = "exec " + " ".join(attach.argv("$$", "--for", "1s"))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=30, env=attach.env)
    assert done.returncode == 2 and "is memtide itself" in done.stderr


# ---- rights ----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def open_folder(tmp_path, needs_root):
    """A folder that nobody may write to, and that memtide can be run from."""
    for p in [tmp_path, *list(tmp_path.parents)[:2]]:
        p.chmod(0o755)
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def nobodys(build, open_folder):
    """An Attach whose memtide another user can execute, wherever the build lies."""
    copy = open_folder / "bin"
    copy.mkdir()
    shutil.copy(build / "memtide", copy / "memtide")
    (copy / "memtide").chmod(0o755)
    return Attach(copy, open_folder / "results")


def test_another_users_process(nobodys, service_of):
    with Service(service_of()) as s:
        done = nobodys(s.pid, "--for", "1s", prefix=AS_NOBODY)
        assert done.returncode == 125
        assert "may not be read" in done.stderr and "belongs to user 0" in done.stderr and "root" in done.stderr
        assert not list(nobodys.results.glob("*"))


def test_ones_own_process_without_root(nobodys, service_of):
    with Service(service_of(), prefix=AS_NOBODY) as s:
        s.tell("leak 55")
        done = nobodys(s.pid, "--for", "2s", prefix=AS_NOBODY)
        assert done.returncode == 0, done.stderr
        run = nobodys.run
        assert run["runtime"]["read"] and run["runtime"]["splits"] >= 1 and run["attached"]["uid"] == NOBODY
        assert nobodys.snapshots()[-1]["groups"][0]["count"] == 55


# ---- containers ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def contained(service_of, needs_root):
    """The service as pid 1 of a pid namespace of its own."""
    with Service(service_of(), prefix=["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]) as s:
        children = pathlib.Path(f"/proc/{s.pid}/task/{s.pid}/children").read_text().split()
        s.pid = int(children[0])
        s.tell("leak 66")
        yield s


def test_into_a_container(attach, contained):
    done = attach(contained.pid, "--for", "1s")
    assert done.returncode == 0, done.stderr
    assert f"(pid {contained.pid}, 1 in its container)" in done.stderr
    assert attach.run["attached"]["inner_pid"] == 1
    assert attach.snapshots()[-1]["groups"][0]["count"] == 66


def test_the_number_that_it_has_in_its_container(attach, service_of, needs_root):
    """From outside it is another: the right one is named."""
    inner = 31999
    script = f"import os; open('/proc/sys/kernel/ns_last_pid','w').write('{inner - 1}'); p = os.fork(); p or os.execv('{service_of()}', ['service']); os.wait()"
    prefix = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", script]
    if os.path.exists(f"/proc/{inner}") or not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        pytest.skip("prerequisite: /proc/sys/kernel/ns_last_pid")
    p = subprocess.Popen(prefix, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert p.stdout.readline().startswith("ready")
        done = attach(inner, "--for", "1s")
        assert done.returncode == 2 and "That is the number in its container of process" in done.stderr, done.stderr
        named = int(re.search(r"of process (\d+)", done.stderr)[1])
        assert attach(named, "--for", "1s").returncode == 0
        assert attach.run["attached"]["inner_pid"] == inner
    finally:
        p.kill()
        p.wait()


def enter(pid):
    return ["nsenter", "--target", pid, "--pid", "--mount"]


def test_within_a_container(attach, contained):
    """memtide beside its target: pid 1 is a process like all others."""
    done = attach(1, "--for", "1s", prefix=enter(contained.pid))
    assert done.returncode == 0, done.stderr
    assert attach.run["attached"]["pid"] == 1
    assert attach.snapshots()[-1]["groups"][0]["count"] == 66


def test_out_of_a_container(attach, contained):
    done = attach(4194000, "--for", "1s", prefix=enter(contained.pid))
    assert done.returncode == 2
    assert "there is no process 4194000" in done.stderr and "processes outside of it cannot be seen" in done.stderr


# ---- the target does not notice --------------------------------------------------------------------------------------------------------


class Onlooker:
    """Looks at a process all the time: whether anybody traces or stops a thread of it, or has its memory open for writing."""

    def __init__(self, pid, watcher):
        self.pid, self.watcher, self.stop, self.seen, self.looks = pid, watcher, False, set(), 0
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self):
        while not self.stop:
            for tid in os.listdir(f"/proc/{self.pid}/task"):
                with contextlib.suppress(OSError):
                    s = status(self.pid, tid)
                    if s["TracerPid"] != "0" or s["State"][0] in "Tt":
                        self.seen.add((s["State"], s["TracerPid"]))
            for fd in pathlib.Path(f"/proc/{self.watcher}/fd").glob("*"):
                with contextlib.suppress(OSError):
                    if os.readlink(fd) == f"/proc/{self.pid}/mem":
                        self.seen.add(("mem", fd.name))
            self.looks += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop = True
        self.thread.join()


def test_it_is_never_traced_or_stopped(attach, service_of):
    with Service(service_of()) as s:
        with attach.going_on(s.pid, "--for", "3s") as p, Onlooker(s.pid, p.pid) as onlooker:
            s.tell("leak 5000")
            time.sleep(2)
        assert p.returncode == 0
        assert onlooker.looks > 20 and not onlooker.seen


@pytest.mark.skipif(not shutil.which("strace"), reason="prerequisite: strace")
def test_no_system_call_does_anything_to_it(attach, service_of, tmp_path):
    """Every call of memtide that names the target, or could change a process: only looks are among them."""
    log = tmp_path / "strace"
    calls = "ptrace,process_vm_writev,kill,tkill,tgkill,pidfd_send_signal,process_madvise,process_vm_readv,openat,open,prlimit64,setpriority,sched_setaffinity"
    with Service(service_of()) as s:
        s.tell("leak 100")
        done = attach(s.pid, "--for", "1s", prefix=["strace", "-f", "-qq", "-o", log, "-e", f"trace={calls}"])
        assert done.returncode == 0, done.stderr
        lines = log.read_text().splitlines()
        named = [l.split(None, 1)[1] for l in lines if re.search(rf"\b{s.pid}\b", l.split(None, 1)[1])]
        assert len(named) > 10 and any(l.startswith("process_vm_readv") for l in named)
        for line in named:
            assert line.startswith("process_vm_readv") or (line.startswith("open") and "O_RDONLY" in line or "O_PATH" in line), line
        forbidden = [l for l in lines if re.search(r"\b(ptrace|process_vm_writev|pidfd_send_signal|process_madvise)\(", l)]
        assert not forbidden


def requests_per_s(address, seconds):
    """Of wrk, whose CPU time is not the service's."""
    done = subprocess.run(["wrk", "-t1", "-c8", f"-d{seconds}s", f"http://{address}/"], capture_output=True, text=True, check=True, timeout=60)
    errors = re.search(r"Socket errors|Non-2xx", done.stdout)
    assert not errors, done.stdout
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


@pytest.mark.skipif(not shutil.which("wrk"), reason="prerequisite: wrk")
def test_a_thousand_attaches_to_a_busy_server(build, service_of):
    """None fails, none stops it, no request fails; what it costs is printed, by `make bench` too."""
    with Service(service_of(), "-listen") as s:
        s.tell("leak 1000")
        alone, watched, attached = [], [], 0
        blocks, each = 8, 125
        for _ in range(blocks):
            alone.append(requests_per_s(s.address, 1))
            driver = subprocess.Popen([build / "probe/attach_often", str(s.pid), str(each)], stdout=subprocess.PIPE, text=True)
            with Onlooker(s.pid, driver.pid) if _ == 0 else contextlib.nullcontext() as onlooker:
                watched.append(requests_per_s(s.address, 1))
            out, _err = driver.communicate(timeout=120)
            told = json.loads(out)
            assert driver.returncode == 0 and told["error"] == "", told
            assert told["counters"] + told["raced"] == told["splits"] + told["splits_raced"] == told["goroutine_looks"] == each
            if onlooker:
                assert not onlooker.seen
            attached += told["attached"]
        assert attached == 1000
        s.tell("leak 1")  # it still obeys
        ratio = sum(watched) / sum(alone)
        print(f"with and without 1000 attaches: {ratio:.3f}")
        assert ratio > 0.1


# ---- the live view ---------------------------------------------------------------------------------------------------------------------


class Terminal:
    """A terminal of a given size with memtide on it. What is written is drawn; what a terminal would not do is an error."""

    def __init__(self, argv, rows=24, columns=80, env=None):
        self.rows, self.columns = rows, columns
        self.raw = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "MEMTIDE_HOME": str(ROOT), **(env or {})})
            os.environ.pop("NO_COLOR", None) if "NO_COLOR" not in (env or {}) else None
            os.execv(argv[0], list(map(str, argv)))
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.fd)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.fd], [], [], 0.05)[0]:
                continue
            try:
                block = os.read(self.fd, 65536)
            except OSError:
                return False
            self.raw += block
        return True

    def read_until(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.raw:
            assert time.monotonic() < end, self.raw[-2000:]
            assert self.read_for(0.1) or text in self.raw, self.raw[-2000:]

    def type(self, keys):
        os.write(self.fd, keys)

    def leave(self, seconds=15):
        """Reads to the end; the exit status."""
        end = time.monotonic() + seconds
        while self.read_for(0.1):
            assert time.monotonic() < end, "it does not leave"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def frames(self):
        text = self.raw.decode()
        on, off = text.index("\x1b[?1049h"), text.rfind("\x1b[0m\x1b[?7h")
        return text[on : off if off > on else len(text)].split("\x1b[H")[1:]

    def check_restored(self):
        text = self.raw.decode()
        assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") and text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
        return text[text.rfind("\x1b[?1049l") + len("\x1b[?1049l") :]


def draw(frame):
    """The lines of one frame without colours; every code in it must be one of those that the view uses."""
    plain = re.sub(r"\x1b\[(38;5;\d+m|0m|K|J)", "", frame)
    assert "\x1b" not in plain and not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", plain), repr(plain)
    return re.split(r"\r+\n", plain)


def modes(fd):
    return termios.tcgetattr(fd)[:4]


@pytest.fixture
def live(build):
    def start(pid, *args, **more):
        return Terminal([str(build / "memtide"), "attach", str(pid), *args], **more)

    return start


def test_live_view(live, service_of):
    with Service(service_of()) as s:
        s.tell("hold 40")
        s.tell("leak-on 200")
        t = live(s.pid)
        before = t.before
        t.read_for(4)
        assert modes(t.fd) != before[:4]  # no echo meanwhile
        t.type(b"q")
        assert t.leave() == 0
        rest = t.check_restored()
        assert "watched for" in rest and "goroutines" in rest
        lines = draw(t.frames()[-1])
        assert len(lines) == 24 and all(len(line) <= 80 for line in lines)
        screen = "\n".join(lines)
        assert f"service-latest (pid {s.pid})  {s.version}" in lines[0] and "q leaves" in lines[0]
        assert re.search(r"RSS \d+\.\d MB", lines[1]) and "heap in use" in lines[1]
        assert re.search(r"objects +4\d\.\d MB", screen)
        assert re.search(r"goroutines \d+ \(\+\d+/s\)", screen)
        assert re.search(r"main\.leak main\.go:\d+, chan receive", screen)
        assert "live-heap" in screen or "objects" in lines[-2] + lines[-1]
        assert re.search("[\u2800-\u28ff]", screen)


@pytest.mark.parametrize("rows, columns", [(24, 80), (10, 40), (5, 20), (1, 1), (3, 200), (60, 30), (70, 260)])
def test_live_view_fits(live, service_of, rows, columns):
    with Service(service_of()) as s:
        t = live(s.pid, rows=rows, columns=columns)
        t.read_for(1.5)
        t.type(b"q")
        assert t.leave() == 0
        t.check_restored()
        for frame in t.frames()[2:]:  # the first may be of the size before
            lines = draw(frame)
            assert len(lines) <= rows and all(len(line) <= columns for line in lines)


def test_live_view_follows_the_window(live, service_of):
    with Service(service_of()) as s:
        t = live(s.pid)
        t.read_for(1)
        t.resize(12, 50)
        t.read_for(0.6)
        n = len(t.frames())
        t.read_for(1)
        for frame in t.frames()[n + 1 :]:
            assert len(draw(frame)) <= 12 and all(len(line) <= 50 for line in draw(frame))
        assert len(t.frames()) > n + 1
        t.type(b"q")
        assert t.leave() == 0


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"LC_ALL": "C"}, {"NO_COLOR": "1", "LC_ALL": "POSIX"}])
def test_live_view_without_colours_or_utf8(live, service_of, env):
    with Service(service_of()) as s:
        t = live(s.pid, env=env)
        t.read_for(2.5)
        t.type(b"q")
        assert t.leave() == 0
        frames = "".join(t.frames())
        assert ("\x1b[38" not in frames) == ("NO_COLOR" in env)
        assert frames.isascii() == ("LC_ALL" in env)
        assert re.search(r"^[ofsizrnt#]{80}$", "\n".join(draw(t.frames()[-1])), re.M)


@pytest.mark.parametrize("how", ["ctrl-c", "ctrl-\\", "SIGTERM", "SIGHUP", "SIGSEGV", "SIGABRT", "--for"])
def test_live_view_always_gives_the_terminal_back(live, service_of, how):
    with Service(service_of()) as s:
        t = live(s.pid, *(["--for", "1s"] if how == "--for" else []))
        t.read_until(b"\x1b[?1049h")
        t.read_for(0.5)
        keys = {"ctrl-c": b"\x03", "ctrl-\\": b"\x1c"}.get(how)
        if keys:
            t.type(keys)
        elif how != "--for":
            os.kill(t.pid, getattr(signal, how))
        fd = os.dup(t.fd)
        code = t.leave()
        assert modes(fd) == t.before[:4] or code == 0
        assert code == (-getattr(signal, how) if how in ("SIGSEGV", "SIGABRT") else 0)
        t.check_restored()
        assert s.process.poll() is None


def test_live_view_is_suspended_and_goes_on(live, service_of):
    """Ctrl-Z: the terminal is the shell's meanwhile."""
    with Service(service_of()) as s:
        t = live(s.pid)
        t.read_until(b"\x1b[?1049h")
        t.read_for(0.5)
        t.type(b"\x1a")
        wait_until(lambda: status(t.pid)["State"].startswith("T"))
        t.read_for(0.2)
        t.check_restored()
        assert modes(t.fd) == t.before[:4]
        os.kill(t.pid, signal.SIGCONT)
        n = len(t.raw)
        t.read_for(1)
        assert b"\x1b[?1049h" in t.raw[n:] and b"q leaves" in t.raw[n:]
        t.type(b"q")
        assert t.leave() == 0
        t.check_restored()


def test_live_view_of_a_target_that_ends(live, service_of):
    with Service(service_of()) as s:
        t = live(s.pid)
        t.read_for(1)
        s.process.kill()
        s.process.wait()
        assert t.leave() == 0
        said = t.check_restored()
        assert "It has ended." in said and "highest 0 B" not in said


def test_live_view_of_a_target_that_execs(live, service_of):
    with Service(service_of("1.16")) as s:
        s.tell("leak 4321")
        t = live(s.pid)
        t.read_for(2)
        s.tell(f"exec {service_of()}", answered=False)
        assert s.process.stdout.readline().startswith("ready")
        t.read_for(2.5)
        t.type(b"q")
        assert t.leave() == 0
        screen = "\n".join(draw(t.frames()[-1]))
        assert "It has begun another program" in screen and s.version not in screen and "4321" not in screen


def test_live_view_of_what_is_not_go(live):
    p = subprocess.Popen(["sleep", "60"])
    try:
        t = live(p.pid)
        t.read_for(1.5)
        t.type(b"q")
        assert t.leave() == 0
        screen = "\n".join(draw(t.frames()[-1]))
        assert "Only what the kernel tells of it" in screen and "RSS" in screen
    finally:
        p.kill()
        p.wait()


def test_live_view_of_a_name_that_terminals_obey(live, service_of, tmp_path):
    """A file name may have any byte but two."""
    evil = tmp_path / "\x1b]0;title\x07\x1b[2J\x9b\u202e中\x7f"
    shutil.copy(service_of(), evil)
    with Service(evil) as s:
        t = live(s.pid)
        t.read_for(1.5)
        t.type(b"q")
        assert t.leave() == 0
        for frame in t.frames():
            assert "title" in draw(frame)[0]  # and draw() looks for the rest
        rest = t.check_restored()
        assert "\x1b]0" not in rest and "\x1b[2J" not in rest
