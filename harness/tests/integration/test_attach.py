# SPDX-License-Identifier: Apache-2.0
"""`memtide attach PID`: processes that memtide did not start, which must not notice."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import AS_NOBODY, NOBODY, RELEASES, ROOT, wait_until
from live_service import Attach, Service, attach, open_folder, service_of, status  # noqa: F401: fixtures

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


def test_what_it_may_take_of_a_cpu(attach, service_of):
    """Of a process with much to look through: what nobody asked for stays within its bound, and a rate that is asked for is kept."""
    with Service(service_of()) as s:
        s.tell("leak 200000")
        assert attach(s.pid, "--for", "5s").returncode == 0
        run = attach.run
        assert (run["sampling"]["rate_hz"], run["sampling"]["cpu_bound_percent"]) == (100, 0.4)
        assert run["sampling"]["samples"] < 110 * run["target_s"]
        # It is decided before a split what it may take, by what the last one took.
        runtime = run["runtime"]
        assert runtime["splits"] >= 2
        assert runtime["unasked_cpu_s"] <= 0.004 * run["target_s"] + 0.01
        assert attach(s.pid, "--for", "1s", "--rate", "500").returncode == 0
        sampling = attach.run["sampling"]
        assert (sampling["rate_hz"], sampling["cpu_bound_percent"]) == (500, None)
        assert sampling["samples"] + sampling["missed"] > 400


def test_what_was_before_does_not_count(attach, service_of):
    """High-water mark, CPU time and faults are those since the attaching."""
    with Service(service_of()) as s:
        s.tell("hold 200")
        subprocess.run(["true"])
        before = status(s.pid)
        s.process.send_signal(signal.SIGSTOP)  # it does nothing at all meanwhile, and is read all the same
        wait_until(lambda: all(status(s.pid, thread)["State"][0] == "T" for thread in os.listdir(f"/proc/{s.pid}/task")))
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
            s.tell(f"exec {shutil.which('sleep')} 60", answered=False)
            wait_until(lambda: "sleep" in os.readlink(f"/proc/{s.pid}/exe"))
        assert p.returncode == 0, p.err
        run = attach.run
        assert [m["name"] for m in run["marks"]] == ["attached", "exec"]
        assert "no Go binary" in run["runtime"]["why"]
        assert attach.campaign.samples()[-1][1] < 10 << 20


# A pid is used again only after some 32 000 others; in a pid namespace of one's own the next one can be asked for.
REUSED = """
import glob, os, subprocess, sys, time
def become(pid):
    open("/proc/sys/kernel/ns_last_pid", "w").write(str(pid - 1))
    p = subprocess.Popen([sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    p.stdout.readline()
    return p
first = become(500)
memtide = subprocess.Popen(sys.argv[3:], stdout=sys.stderr)
while memtide.poll() is None and not glob.glob(sys.argv[2] + "/*/default/1/goroutines.json"):
    time.sleep(0.01)
first.kill(); first.wait()
second = become(500)
second.stdin.write("hold 300\\n"); second.stdout.readline()
print(first.pid, second.pid, memtide.wait(), flush=True)
second.kill()
"""


def test_a_pid_that_is_used_again_is_another_process(attach, service_of, needs_root):
    script = [sys.executable, "-c", REUSED, str(service_of()), str(attach.results), *attach.argv(500, "--for", "20s")]
    done = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", *script], capture_output=True, text=True, timeout=60, env=attach.env)
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
    if not os.path.exists("/proc/sys/kernel/ns_last_pid"):
        pytest.skip("prerequisite: /proc/sys/kernel/ns_last_pid")
    # None of a process here, nor soon: numbers are given away in their order.
    last = int(pathlib.Path("/proc/sys/kernel/ns_last_pid").read_text())
    inner = next(n for n in [*range(last - 100, 300, -1), *range(20000, 30000)] if not os.path.exists(f"/proc/{n}"))
    script = f"import os; open('/proc/sys/kernel/ns_last_pid','w').write('{inner - 1}'); p = os.fork(); p or os.execv('{service_of()}', ['service']); os.wait()"
    prefix = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, "-c", script]
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
            wait_until(lambda: onlooker.looks > 100 or p.poll() is not None)
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


# ---- gone before it was looked at ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reaped", [True, False], ids=["reaped", "zombie"])
@pytest.mark.parametrize("command", ["attach", "diagnose"])
def test_a_target_that_goes_away_before_its_first_sample(attach, command, reaped):
    """memtide says that it has found it, and must wait for somebody to read that; meanwhile the target ends."""
    target = subprocess.Popen(["sleep", "60"])
    out, full = os.pipe()
    os.set_blocking(full, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(full, b"x" * 4096)
    os.set_blocking(full, True)
    argv = [str(attach.build / "memtide"), command, str(target.pid), "--for", "2s", "--out", str(attach.results)]
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=full, env=attach.env)
    os.close(full)
    try:
        wait_until(lambda: "pipe" in pathlib.Path(f"/proc/{p.pid}/wchan").read_text())
        target.kill()
        if reaped:
            target.wait()
        else:
            os.waitid(os.P_PID, target.pid, os.WEXITED | os.WNOWAIT)
        with open(out, errors="replace") as f:
            said = f.read().lstrip("x")
        told = p.communicate(timeout=60)[0]
    finally:
        target.kill()
        p.kill()
        target.wait()
        p.wait()
    assert f"process {target.pid} has just exited" in said
    assert (p.returncode, told) == (2, b"")
    assert not list(attach.results.glob("*"))
