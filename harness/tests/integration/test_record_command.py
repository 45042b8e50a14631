# SPDX-License-Identifier: Apache-2.0
"""`memtide record -- CMD`: any command, as it would run without memtide, and a campaign of it."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT, newest_campaign, slack_s, wait_until

PY = sys.executable


@pytest.fixture
def record(build, tmp_path):
    """record(["--for", "1s"], ["sleep", "5"]) -> (completed, campaign or None)"""
    results = tmp_path / "results"

    def call(options, command, input=b"", env=None, **more):
        argv = [build / "memtide", "record", "--out", results, "--no-plot", *options, "--", *command]
        environment = {**os.environ, "MEMTIDE_HOME": str(ROOT), **(env or {})}
        done = subprocess.run(argv, input=input, capture_output=True, timeout=60, env=environment, cwd=tmp_path, **more)
        assert b"Sanitizer" not in done.stderr, done.stderr
        return done, newest_campaign(results) if list(results.glob("*/campaign.json")) else None

    call.results = results
    call.argv = [str(build / "memtide"), "record", "--out", str(results), "--no-plot"]
    call.env = {**os.environ, "MEMTIDE_HOME": str(ROOT)}
    return call


def only_run(campaign):
    runs = campaign.runs()
    assert len(runs) == 1
    return runs[0]


@pytest.mark.parametrize(
    "command, code, outcome",
    [
        (["true"], 0, "ok"),
        (["sh", "-c", "exit 3"], 1, "exit"),
        (["sh", "-c", "kill -SEGV $$"], 1, "signal"),
        (["sh", "-c", "echo 'panic: boom' >&2; exit 2"], 1, "go-fatal"),
    ],
)
def test_the_commands_outcome_is_the_exit_code(record, command, code, outcome):
    done, campaign = record([], command)
    assert (done.returncode, only_run(campaign)["outcome"]) == (code, outcome), done.stderr


def test_planned_end(record):
    done, campaign = record(["--for", "1s"], ["sleep", "30"])
    run = only_run(campaign)
    assert (done.returncode, run["outcome"], run["ended_by"]) == (0, "ok", "supervisor")
    assert 1 <= run["target_s"] < 5 + slack_s()
    assert campaign.samples()


def test_limit(record):
    done, campaign = record(["--limit", "64MB"], [PY, "-c", "x = b'x' * 200_000_000"])
    run = only_run(campaign)
    if run["cgroup"]["version"] == 0:
        pytest.skip("no right to make cgroups")
    assert (done.returncode, run["outcome"], run["cgroup"]["limit_bytes"]) == (1, "oom-cgroup", 64 << 20)


def test_stdin_stdout_stderr_pass_and_the_record_has_a_copy(record):
    done, campaign = record([], ["sh", "-c", "cat; echo told >&2"], input=b"a line\nanother\n")
    assert done.returncode == 0
    assert done.stdout == b"a line\nanother\n"
    assert b"told\n" in done.stderr
    assert (campaign.run_dir() / "stdout").read_bytes() == done.stdout
    assert (campaign.run_dir() / "stderr").read_bytes() == b"told\n"


def test_memtides_own_words_go_to_stderr(record):
    done, campaign = record([], ["true"])
    assert done.stdout == b""
    assert f"Recorded in {campaign.path}".encode() in done.stderr


SLOW = "import sys, time\nwhile b := sys.stdin.buffer.raw.read(100_000): sys.stdout.buffer.write(b); time.sleep(0.002)"


def test_a_slow_reader_gets_every_byte(record):
    """20 MB through a reader that is slower than the command: all of it, in order."""
    line = b"0123456789abcdef" * 4 + b"\n"
    command = [PY, "-c", f"import sys\nfor i in range({20_000_000 // len(line)}): sys.stdout.buffer.write({line!r})"]
    a = subprocess.Popen([*record.argv, "--", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=record.env)
    b = subprocess.run([PY, "-c", SLOW], stdin=a.stdout, capture_output=True, timeout=60)
    assert a.wait(30) == 0
    assert b.stdout == line * (20_000_000 // len(line))
    kept = (newest_campaign(record.results).run_dir() / "stdout").read_bytes()
    assert kept.startswith(line) and len(kept) < 2_000_000


def test_a_stuck_reader_does_not_stop_the_sampling(record):
    r, w = os.pipe()
    p = subprocess.Popen([*record.argv, "--for", "2s", "--", "yes"], stdout=w, stderr=subprocess.DEVNULL, env=record.env)
    os.close(w)
    assert p.wait(30) == 0
    run = only_run(newest_campaign(record.results))
    assert run["outcome"] == "ok" and run["target_s"] < 4 + slack_s()
    assert run["sampling"]["lost"] == 0
    os.close(r)


def test_a_reader_that_leaves_ends_the_command_as_without_memtide(record):
    script = f"{' '.join(record.argv)} -- yes | head -n 2; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=30, env=record.env)
    assert done.stdout == b"y\ny\n"
    run = only_run(newest_campaign(record.results))
    assert (done.returncode, run["outcome"], run["signal"]) == (1, "signal", signal.SIGPIPE)


def test_a_full_disk_behind_stdout_is_told(record):
    with open("/dev/full", "wb") as full:
        argv = [*record.argv, "--", "sh", "-c", "echo x; sleep 0.2; echo y"]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, timeout=30, env=record.env)
    assert done.returncode == 0
    assert b"did not all come out here (No space left on device)" in done.stderr
    assert (newest_campaign(record.results).run_dir() / "stdout").read_bytes() == b"x\ny\n"


def test_its_environment_is_the_users_and_secrets_are_not_recorded(record):
    env = {"API_TOKEN": "hunter2", "GOGC": "50", "MEMTIDE_RUN": "of-another", "MALLOC_ARENA_MAX": "2"}
    done, campaign = record([], ["sh", "-c", "echo $API_TOKEN $MEMTIDE_RUN"], env=env)
    token, run_name = done.stdout.split()
    assert token == b"hunter2" and run_name.startswith(b"memtide-")
    kept = only_run(campaign)["env"]
    assert kept["GOGC"] == "50" and kept["MALLOC_ARENA_MAX"] == "2"
    for path in campaign.path.rglob("*"):
        if path.is_file() and path.name != "stdout":
            assert b"hunter2" not in path.read_bytes(), path


def test_arguments_are_passed_as_they_are(record):
    words = ["", " ", "{port}", "a\"b'c", "x: y # z", "ä→", "two\nlines", "-v", "--", "%s\\n", "null", "1e3"]
    done, _ = record([], [PY, "-c", "import sys; print(ascii(sys.argv[1:]))", *words])
    assert done.stdout.decode().strip() == ascii(words)


def test_a_command_by_a_link_is_called_by_that_name(record, tmp_path):
    (tmp_path / "mylink").symlink_to(shutil.which("bash"))
    done, campaign = record([], ["./mylink", "-c", "echo $0"])
    assert done.stdout.decode().strip() == str(tmp_path / "mylink")
    assert campaign.info["scenario"] == "record-mylink"


@pytest.mark.parametrize(
    "command, says",
    [
        (["no-such-command-here"], b"there is no such command"),
        (["./nothing"], b"there is no such command"),
        (["./readable"], b"no executable file"),
        (["echo", "\x1b[1m"], b"control character"),
        (["echo", b"\xff\xfe"], b"no UTF-8"),
        ([], b"name the command"),
    ],
)
def test_what_cannot_be_run_is_a_usage_error_and_leaves_nothing(record, tmp_path, command, says):
    (tmp_path / "readable").write_text("no program\n")
    (tmp_path / "readable").chmod(0o644)
    done, campaign = record([], command)
    assert done.returncode == 2 and says in done.stderr, done.stderr
    assert campaign is None and not list(record.results.glob("*"))


@pytest.mark.parametrize("option", [["--for", "3"], ["--limit", "x"], ["--rate", "1"], ["--out", ""]])
def test_wrong_options(record, option):
    done, campaign = record(option, ["true"])
    assert done.returncode == 2 and option[0].encode() in done.stderr
    assert campaign is None


def test_interrupted_the_record_is_kept(record):
    p = subprocess.Popen([*record.argv, "--", "sleep", "60"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=record.env)
    wait_until(lambda: any(p.stat().st_size > 0 for p in record.results.glob("*/default/1/samples.tsv.zst")))  # of what was seen
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    run = only_run(newest_campaign(record.results))
    assert (p.returncode, run["outcome"]) == (1, "interrupted"), err
    assert b"--resume" not in err
    assert run["metrics"]["peak_rss_bytes"] > 0


def test_all_commands_work_on_it(record, memtide):
    _, campaign = record(["--for", "1s"], ["sleep", "9"])
    assert memtide("show", campaign.path).code == 0
    exported = memtide("export", campaign.path, "--format", "json")
    assert exported.code == 0 and json.loads(exported.out)
    assert memtide("plot", campaign.path).code == 0
    again = campaign.path.parent / "record-sleep.yaml"
    shutil.copy(campaign.path / "scenario.yaml", again)
    result = memtide("run", again)
    assert result.code == 0 and result.run()["outcome"] == "ok", result.err


def test_at_a_terminal_it_has_the_terminal(record):
    """Standard input is a terminal for it, nothing of memtide's own stands between its lines, and what it types is echoed once."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(record.env)
        script = "import sys; print('tty', sys.stdin.isatty(), flush=True); print('got', input(), flush=True)"
        os.execv(record.argv[0], [*record.argv, "--", PY, "-c", script])
    seen, typed = b"", False
    end = time.monotonic() + 30
    while True:
        if time.monotonic() > end:
            os.kill(pid, signal.SIGKILL)
        if not select.select([fd], [], [], 0.2)[0]:
            continue
        try:
            seen += os.read(fd, 65536)
        except OSError:
            break
        if b"tty True\r\n" in seen and not typed:
            typed = os.write(fd, b"typed\n")
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert seen.startswith(b"tty True\r\ntyped\r\ngot typed\r\n"), seen


def test_a_program_that_another_thread_executes_is_seen(record, tmp_path):
    """The kernel gives it the first thread's place; until the others have ended there is no memory to see."""
    script = tmp_path / "again.py"
    script.write_text(
        "import os, sys, threading, time\n"
        "left = int(sys.argv[1])\n"
        "def again():\n"
        "    os.execv(sys.executable, [sys.executable, __file__, str(left - 1)])\n"
        "if left:\n"
        "    threading.Thread(target=again).start()\n"
        "else:\n"
        "    held = b'x' * (96 << 20)\n"
        "    time.sleep(3)\n"
        "    os._exit(0)\n"  # with all that it holds
    )
    done, campaign = record(["--rate", "20000"], [PY, script, "20"])  # the moment is short: not each of them is met in it
    assert done.returncode == 0, done.stderr
    assert only_run(campaign)["metrics"]["settled_rss_bytes"] > 96 << 20
    assert b"first thread ended" not in done.stderr
