# SPDX-License-Identifier: Apache-2.0
"""However memtide ends, no process and no cgroup of it is there after its next start at the latest."""

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

from conftest import ROOT, Campaign, newest_campaign, own_groups, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def groups_of(pid):
    """The group of the memtide with this pid, and those of its runs."""
    own = [pathlib.Path(g) for g in own_groups() if re.search(rf"/memtide-\d+-{pid}-\d+$", g)]
    return own + [run for g in own for run in g.iterdir() if run.is_dir()]


class Target:
    """A copy of the stimulus that only one test runs, so that its processes can be told from all others."""

    def __init__(self, path):
        self.path = path

    def processes(self):
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "exe").removesuffix(" (deleted)") == str(self.path):
                    found.append(int(entry.name))
            except OSError:
                pass
        return found

    def command(self, *how):
        return [self.path, *how]

    def and_survivor(self, *how):
        """The same with a descendant in a session of its own that ignores SIGTERM."""
        return ["/bin/sh", "-c", f"{self.path} fork 5; exec {self.path} {' '.join(how)}"]


@pytest.fixture
def target(stimulus, tmp_path):
    t = Target(pathlib.Path(shutil.copy(stimulus("misbehave"), tmp_path / "target")))
    yield t
    for pid in t.processes():
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def start(memtide):
    """start(scenario, options...) -> the running memtide; killed at the end if the test did not see to its end."""
    started = []

    def call(path, *options):
        argv = [memtide.binary, "run", str(path), "--out", str(memtide.results), "--no-plot", *options]
        started.append(
            subprocess.Popen(
                argv, env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        )
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.communicate()


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)


# ---- a run that ends as it should


def test_a_fork_that_outlives_its_parent(start, scenario, target):
    running = start(scenario(command=target.command("fork", 5)))
    _, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    assert target.processes() == []
    assert groups_of(running.pid) == []


def test_a_fork_at_the_planned_end(start, scenario, target):
    running = start(scenario(command=target.and_survivor("sleep"), run="for: 1s"))
    _, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    assert target.processes() == []
    assert groups_of(running.pid) == []


def test_a_fork_where_there_is_no_cgroup(build, target):
    """An ordinary user's run: nothing but the process tree tells what belongs to it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memtide-test-", dir="/tmp"))
    try:
        folder.chmod(0o777)
        shutil.copy(build / "memtide", folder)
        target.path = pathlib.Path(shutil.copy(target.path, folder))
        (folder / "fork.yaml").write_text(
            'name: fork\ntitle: What is left?\nrun: {timeout: 20s}\n'
            f'program: {{command: [/bin/sh, -c, "{target.path} fork 5; sleep 0.3"]}}\n'
        )
        done = subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{folder}/memtide", "run", "fork.yaml",
             "--limit", "none", "--no-plot"],
            cwd=folder, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "MEMTIDE_HOME": str(folder)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert target.processes() == []
    finally:
        shutil.rmtree(folder)


# ---- kill -9 of memtide


def test_a_child_dies_with_its_memtide(memtide, start, scenario, target):
    running = start(scenario(command=target.command("ignore-term")))
    wait_until(target.processes)
    kill(running)
    wait_until(lambda: not target.processes())
    cleaned = memtide("doctor", "--clean")
    assert cleaned.code == 0, cleaned.err
    assert groups_of(running.pid) == []


@pytest.mark.parametrize("next_start", ["run", "doctor --clean"])
def test_kill_9(memtide, start, scenario, stimulus, target, next_start):
    running = start(scenario(command=target.and_survivor("ignore-term"), run="timeout: 600s, repeat: 3"), "--jobs", "3")
    wait_until(lambda: len(target.processes()) == 6)  # three runs, a survivor each
    assert len(groups_of(running.pid)) == 4, "its own group, and one a run"
    kill(running)
    if next_start == "run":
        result = memtide("run", scenario(name="next", command=[stimulus("misbehave"), "exit", 0]))
        assert '"outcome": "ok"' in next(memtide.results.glob("*-next/*/1/run.json")).read_text()
    else:
        result = memtide("doctor", "--clean")
    assert result.code == 0, result.err
    assert groups_of(running.pid) == []
    wait_until(lambda: not target.processes(), 10)


def test_kill_9_then_resume(memtide, start, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), 3, 3000], run="timeout: 20s, repeat: 3")
    running = start(path, "--jobs", "1")
    wait_until(lambda: list(memtide.results.glob("*/*/*/run.json")))
    wait_until(lambda: len(list(memtide.results.glob("*/*/*/marks.tsv"))) > 1)
    kill(running)

    campaign = newest_campaign(memtide.results)
    unfinished = [p for p in campaign.path.glob("*/*") if p.name.isdigit() and not (p / "run.json").exists()]
    assert len(unfinished) == 1, "a run without run.json is unfinished"
    shown = memtide("show", campaign.path)
    assert shown.code in (0, 3) and "interrupted" in shown.out, shown.err

    resumed = memtide("run", path, "--resume")
    assert resumed.code == 0, resumed.err
    assert resumed.campaign.path == campaign.path
    assert [r["outcome"] for r in resumed.runs()] == ["ok"] * 3
    assert groups_of(running.pid) == []


def test_kill_9_while_building(memtide, start, scenario, tmp_path, toolchains):
    """A build that was cut short leaves nothing that the next one takes for finished."""
    source = tmp_path / "slow"
    source.mkdir()
    (source / "go.mod").write_text("module stimuli.test/slow\n\ngo 1.11\n")
    (source / "main.go").write_text('package main\n\nimport "fmt"\n\nfunc main() { fmt.Println() }\n')
    path = scenario(program=f"{{dir: {source}}}", extra="axes: {go: 1.16}")
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "GOCACHE": str(tmp_path / "gocache")}
    os.environ.update(env)
    try:
        running = start(path)
    finally:
        for name in env:
            del os.environ[name]
    wait_until(lambda: (tmp_path / "cache").exists() or (tmp_path / "gocache").exists())
    kill(running)
    result = memtide("run", path, env=env)
    assert result.code == 0, result.err
    assert result.run()["outcome"] == "ok"


# ---- signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda s: s.name)
def test_signals(memtide, start, scenario, target, number):
    running = start(scenario(command=target.and_survivor("ignore-term"), run="timeout: 600s, repeat: 2"), "--jobs", "2")
    wait_until(lambda: len(target.processes()) == 4)
    time.sleep(0.3)
    running.send_signal(number)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 3, err
    assert target.processes() == []
    assert groups_of(running.pid) == []
    assert [r["outcome"] for r in newest_campaign(memtide.results).runs()] == ["interrupted"] * 2


def test_ctrl_c_twice(memtide, start, scenario, target):
    running = start(scenario(command=target.and_survivor("ignore-term"), run="timeout: 600s"))
    wait_until(lambda: len(target.processes()) == 2)
    time.sleep(0.3)
    since = time.monotonic()
    running.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert running.poll() is None or time.monotonic() - since > 2, "it waits for its runs, which ignore SIGTERM, for 2 s"
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 3, err
    assert target.processes() == []
    assert groups_of(running.pid) == []
    shown = memtide("show", newest_campaign(memtide.results).path)
    assert shown.code in (0, 3) and "interrupted" in shown.out, shown.err


def test_ctrl_c_before_the_first_run(memtide, start, scenario, target):
    """At any moment of the start: nothing hangs, nothing is left."""
    for delay in (0.0, 0.01, 0.02, 0.05, 0.1):
        running = start(scenario(command=target.command("ignore-term")))
        time.sleep(delay)
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
        assert running.returncode in (3, -signal.SIGINT, 128 + signal.SIGINT)
        wait_until(lambda: not target.processes(), 10)
        assert memtide("doctor", "--clean").code == 0
        assert groups_of(running.pid) == []


# ---- two at once


def test_two_at_once(memtide, start, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), 5, 1000], run="timeout: 20s, repeat: 2")
    both = [start(path), start(path)]
    for running in both:
        _, err = running.communicate(timeout=60)
        assert running.returncode == 0, err
        assert "left behind" not in err, "neither sweeps the other's groups"
    folders = sorted(p.parent for p in memtide.results.glob("*/campaign.json"))
    assert len(folders) == 2, "a folder each"
    for folder in folders:
        campaign = Campaign(folder)
        assert [r["outcome"] for r in campaign.runs()] == ["ok", "ok"]
        assert all(usage is not None for repeat in (1, 2) for _, _, usage in campaign.samples(repeat=repeat))


def test_a_start_and_a_sweep_beside_a_living_one(memtide, start, scenario, stimulus, target):
    living = start(scenario(command=target.and_survivor("ignore-term"), run="timeout: 600s"))
    wait_until(lambda: len(target.processes()) == 2)
    groups = groups_of(living.pid)
    assert len(groups) == 2
    other = memtide("run", scenario(name="other", command=[stimulus("misbehave"), "exit", 0]))
    assert other.code == 0, other.err
    assert memtide("doctor", "--clean").code == 0
    assert groups_of(living.pid) == groups and len(target.processes()) == 2, "not its to sweep"
    living.send_signal(signal.SIGINT)
    _, err = living.communicate(timeout=30)
    assert living.returncode == 3, err
    run = json.loads(next(memtide.results.glob("*-test/*/1/run.json")).read_text())
    assert run["outcome"] == "interrupted" and run["oom_kills"] == 0, "it lived until it was told to end"
