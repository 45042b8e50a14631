# SPDX-License-Identifier: Apache-2.0
"""Every outcome that can be made to happen is told as what it was, and costs no other run."""

import os
import signal
import subprocess
import time

import pytest

from conftest import ROOT, newest_campaign, slack_s, wait_until

GO_STIMULI = ROOT / "harness/tests/stimuli/go"
MIB = 1 << 20

pytestmark = pytest.mark.usefixtures("needs_root")


@pytest.fixture
def misbehave(memtide, scenario, stimulus):
    """misbehave("exit", 3, run="timeout: 20s") -> Result of that one run."""

    def call(*how, options=(), **keys):
        return memtide("run", scenario(command=[stimulus("misbehave"), *how], **keys), *options)

    return call


@pytest.fixture
def go_stimulus(memtide, scenario, toolchains):
    """go_stimulus("panic") -> Result of that Go program with the oldest and the newest release."""

    def call(name, options=(), env=None):
        path = scenario(name=name, program=f"{{dir: {GO_STIMULI / name}}}", extra="axes: {go: [1.11, latest]}")
        return memtide("run", path, *options, env=env)

    return call


def by_release(result):
    """The one run of each release: minor release -> run.json."""
    return {".".join(r["go"]["version"].split(".")[:2]) if r["go"] else r["cell"]["go"]: r for r in result.runs()}


def start(memtide, path, *options, **keys):
    """memtide run in the background: the caller signals it and waits."""
    argv = [memtide.binary, "run", str(path), "--out", str(memtide.results), "--no-plot", *options]
    return subprocess.Popen(
        argv, env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **keys
    )


# ---- a program that ends by itself


def test_ok(misbehave):
    result = misbehave("exit", 0)
    run = result.run()
    assert result.code == 0, result.err
    assert (run["outcome"], run["exit_code"], run["signal"], run["ended_by"]) == ("ok", 0, None, "program")
    assert run["why"] is None


def test_exit(misbehave):
    result = misbehave("exit", 3)
    run = result.run()
    assert (run["outcome"], run["exit_code"], run["signal"], run["ended_by"]) == ("exit", 3, None, "program")
    assert "3" in run["why"]


def test_exit_2_without_words_of_the_runtime_is_no_go_fatal(misbehave):
    assert misbehave("exit", 2).run()["outcome"] == "exit"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGTERM], ids=lambda s: s.name)
def test_signal(misbehave, number):
    run = misbehave("signal", int(number)).run()
    assert (run["outcome"], run["exit_code"], run["signal"], run["ended_by"]) == ("signal", None, int(number), "program")
    assert number.name in run["why"]


# ---- the cgroup's limit


def test_oom_cgroup(misbehave):
    result = misbehave("oom", limit="32MB")
    run = result.run()
    assert run["outcome"] == "oom-cgroup", run["why"]
    assert run["oom_kills"] == 1 and run["metrics"]["oom_kills"] == 1
    assert (run["exit_code"], run["signal"]) == (None, signal.SIGKILL)
    assert run["cgroup"]["limit_bytes"] == 32 * MIB
    assert run["metrics"]["memcg_peak_bytes"] <= 32 * MIB
    assert 24 * MIB < run["metrics"]["peak_rss_bytes"] <= 32 * MIB + 4 * MIB, "shared pages of libc lie outside the group"
    assert "limit of 32.0 MB" in run["why"]
    assert result.code == 0, "a limit below what the program needs is an outcome, not an error"


def test_a_program_that_needs_more_than_its_limit(memtide, scenario, stimulus):
    run = memtide("run", scenario(command=[stimulus("alloc"), 50], limit="30MB")).run()
    assert run["outcome"] == "oom-cgroup", run["why"]
    assert [m["name"] for m in run["marks"]] == ["load"], "it was killed on the way"


def test_a_limit_just_above_the_need(memtide, scenario, stimulus):
    run = memtide("run", scenario(command=[stimulus("alloc"), 20], limit="24MB")).run()
    assert (run["outcome"], run["oom_kills"]) == ("ok", 0), run["why"]


def test_the_limit_option_wins(memtide, scenario, stimulus):
    run = memtide("run", scenario(command=[stimulus("alloc"), 50], limit="256MB"), "--limit", "30MB").run()
    assert (run["outcome"], run["cgroup"]["limit_bytes"]) == ("oom-cgroup", 30 * MIB)


# ---- time


def test_timeout(misbehave):
    run = misbehave("sleep", run="timeout: 1s").run()
    assert (run["outcome"], run["ended_by"]) == ("timeout", "supervisor")
    assert 1.0 <= run["target_s"] < 3 + slack_s()
    assert run["why"]


def test_planned_end(misbehave):
    result = misbehave("sleep", run="for: 1s")
    run = result.run()
    assert (run["outcome"], run["ended_by"], run["why"]) == ("ok", "supervisor", None)
    assert 1.0 <= run["target_s"] < 2 + slack_s()
    assert result.code == 0


def test_for_option_wins(misbehave):
    run = misbehave("sleep", run="for: 500s", options=["--for", "1s"]).run()
    assert run["outcome"] == "ok" and 1.0 <= run["target_s"] < 2 + slack_s()


def test_exit_before_the_planned_end(misbehave):
    run = misbehave("exit", 0, run="for: 60s").run()
    assert (run["outcome"], run["ended_by"]) == ("ok", "program")
    assert run["wall_s"] < 30


def test_ignored_sigterm_at_the_planned_end(misbehave):
    run = misbehave("ignore-term", run="for: 1s").run()
    assert (run["outcome"], run["ended_by"], run["signal"]) == ("ok", "supervisor", signal.SIGKILL)
    assert "SIGTERM" in run["why"]
    assert 1.0 <= run["target_s"] and 2.0 <= run["wall_s"] - run["target_s"], "observation ends as planned, 2 s before SIGKILL"
    assert run["wall_s"] < 10


def test_ignored_sigterm_at_the_timeout(misbehave):
    run = misbehave("ignore-term", run="timeout: 1s").run()
    assert (run["outcome"], run["signal"]) == ("timeout", signal.SIGKILL)
    assert "SIGTERM" in run["why"]


# ---- Go's own last words


@pytest.mark.parametrize(
    "name, outcome, words",
    [
        ("deadlock", "go-fatal", "all goroutines are asleep - deadlock!"),
        ("panic", "go-fatal", "panic: the stimulus panics"),
        ("out-of-memory", "oom-go", "out of memory"),
    ],
)
def test_the_runtime_gives_up(go_stimulus, name, outcome, words):
    runs = go_stimulus(name).runs()
    assert len(runs) == 2
    for run in runs:
        assert (run["outcome"], run["exit_code"], run["ended_by"]) == (outcome, 2, "program"), run["why"]
        assert words in run["why"]
        assert run["oom_kills"] == 0


# ---- nothing to run


def test_build_failed(go_stimulus):
    result = go_stimulus("broken")
    runs = by_release(result)
    old, new = runs.pop("1.11"), list(runs.values())
    assert old["outcome"] == "build-failed"
    assert "undefined: undefinedInBroken" in old["why"] and "old.go" in old["why"], "the compiler's own words"
    assert old["program"]["sha256"] is None and old["metrics"] == {} and old["started"]
    assert [r["outcome"] for r in new] == ["ok"], "the other release runs"
    assert "undefined: undefinedInBroken" in result.err
    assert result.code == 3


def test_what_is_not_meant_to_build(memtide, scenario, toolchains):
    """Where something is expected of other releases only, one that cannot build the program is told, and is no failure."""
    extra = "axes: {go: [1.11, latest]}\nexpect: [{for: {go: 1.12..latest}, that: outcome == ok}]"
    result = memtide("run", scenario("not-meant", program=f"{{dir: {GO_STIMULI / 'broken'}}}", extra=extra))
    assert sorted(r["outcome"] for r in result.runs()) == ["build-failed", "ok"]
    assert "undefined: undefinedInBroken" in result.out, "in the table the reason, not the line `# package` above it"
    assert result.code == 0


def test_toolchain_missing(go_stimulus):
    result = go_stimulus("broken", options=["--go", "1.11.99,latest"])
    outcomes = {r["cell"]["go"]: r["outcome"] for r in result.runs()}
    assert outcomes.pop("1.11.99") == "toolchain-missing"
    assert list(outcomes.values()) == ["ok"], "the other release runs"
    missing = next(r for r in result.runs() if r["outcome"] == "toolchain-missing")
    assert "1.11.99" in missing["why"]
    assert result.code == 3


def test_toolchain_missing_without_network(go_stimulus):
    result = go_stimulus("broken", options=["--go", "1.11.1,1.13"], env={"GOPROXY": "off"})
    outcomes = {r["cell"]["go"]: r["outcome"] for r in result.runs()}
    assert outcomes == {"1.11.1": "toolchain-missing", "1.13": "ok"}, result.err
    assert result.code == 3


def test_not_applicable(memtide, toolchains):
    result = memtide("run", "free-os-memory", "--go", "1.11", "--for", "2s", "--repeat", "1")
    cells = {c["settings"]["godebug"]: c for c in result.campaign.info["cells"]}
    assert cells["default"]["applicable"] is True and cells["default"]["why"] is None
    assert cells["madvdontneed=1"]["applicable"] is False
    assert "madvdontneed" in cells["madvdontneed=1"]["why"]
    assert [r["cell"]["godebug"] for r in result.runs()] == ["default"], "it is not run"
    told = result.campaign.path / cells["madvdontneed=1"]["id"] / "1" / "run.json"
    assert '"outcome": "not-applicable"' in told.read_text()


# ---- the harness


def test_a_command_that_does_not_exist(memtide, scenario, tmp_path):
    path = scenario(command=[tmp_path / "nowhere"])
    result = memtide("run", path)
    assert result.code == 2, "the scenario is wrong, and nothing is run"
    assert str(tmp_path / "nowhere") in result.err
    assert f"{path}:3:" in result.err, "where it says so"
    assert not memtide.results.exists()


def test_a_command_that_is_no_program(memtide, scenario, tmp_path):
    (tmp_path / "text").write_text("neither ELF nor #!\n")
    (tmp_path / "text").chmod(0o755)
    result = memtide("run", scenario(command=[tmp_path / "text"]))
    assert result.run()["outcome"] == "harness-error"
    assert "Exec format error" in result.run()["why"]
    assert result.code == 125


def test_interrupted_then_resumed(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), 3, 3000], extra="axes: {variant: [a, b]}", run="timeout: 20s, repeat: 2")
    running = start(memtide, path, "--jobs", "1", "--seed", "1")
    wait_until(lambda: list(memtide.results.glob("*/*/*/run.json")))  # one is done
    wait_until(lambda: len(list(memtide.results.glob("*/*/*/marks.tsv"))) > 1)  # one goes on
    time.sleep(0.8)  # and has what it needs
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == 3, err
    assert "--resume" in err, "what to do is told"

    campaign = newest_campaign(memtide.results)
    outcomes = sorted(r["outcome"] for r in campaign.runs())
    assert outcomes.count("interrupted") == 1 and set(outcomes) == {"interrupted", "ok"}
    cut = next(p.parent for p in campaign.path.glob("*/*/run.json") if '"outcome": "interrupted"' in p.read_text())
    assert max(rss for _, rss, _ in campaign.samples(cut.parent.name, int(cut.name))) > 3 * MIB, "what was recorded is kept"
    assert campaign.info["finished"] is None
    done_before = {p: p.stat().st_mtime_ns for p in campaign.path.glob("*/*/run.json") if p.parent != cut}

    resumed = memtide("run", path, "--resume")
    assert resumed.code == 0, resumed.err
    assert resumed.campaign.path == campaign.path, "no second campaign"
    assert [r["outcome"] for r in resumed.runs()] == ["ok"] * 4
    assert resumed.campaign.info["finished"]
    assert {p: p.stat().st_mtime_ns for p in done_before} == done_before, "what was finished is not run again"


# ---- an ordinary user


@pytest.fixture
def as_nobody(run_of_nobody):
    """as_nobody(command, ...) -> (CompletedProcess, results): memtide run by a user who may not make cgroups."""
    text = lambda alloc: (
        "name: user\ntitle: May a user do this?\nlimit: 64MB\nrun: {timeout: 20s}\n"
        f'program: {{command: ["{alloc}", "5"]}}\n'
    )
    return lambda *options: run_of_nobody("stimuli/alloc", text, *options)


def test_no_permission(as_nobody):
    done, _ = as_nobody()
    assert done.returncode == 125, done.stderr
    assert "sudo" in done.stderr, "what to do"
    assert "--limit none" in done.stderr, "how to go on without"


def test_without_permission_and_limit(as_nobody):
    done, results = as_nobody("--limit", "none")
    assert done.returncode == 0, done.stderr
    campaign = newest_campaign(results)
    (run,) = campaign.runs()
    assert (run["outcome"], run["oom_kills"]) == ("ok", None)
    assert run["cgroup"] == {"limit_bytes": None, "version": 0}
    samples = campaign.samples()
    assert samples and all(usage is None for _, _, usage in samples), "missing, not zero"
    assert max(rss for _, rss, _ in samples) > 5 * MIB
    assert "memcg_peak_bytes" in run["missing"] and "memcg_peak_bytes" not in run["metrics"]
    assert "cgroup" in done.stderr, "it is told that the run has none"
