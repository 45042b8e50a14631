# SPDX-License-Identifier: Apache-2.0
"""The real binary, driven as a user drives it: real toolchains, real cgroups, real kernel counters.

A skip names the missing prerequisite; with CI=true in the environment it is a failure.

A test that fails is repeated, twice at most, where the machine was too busy to measure: where the record of one of its own runs says so, as
memtide itself warns, or where threads waited for a CPU for most of the time of the test or of a fixture that it stands on. All fixtures are
made anew then. Any other failure stands at once. The summary names each test that was repeated.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import pytest
from _pytest.runner import runtestprotocol

ROOT = pathlib.Path(__file__).resolve().parents[3]
# A shell's background job ignores SIGINT and hands that down; the tests send it on purpose.
signal.signal(signal.SIGINT, signal.default_int_handler)

RELEASES = ["1.11", "1.12", "1.13", "1.16", "latest"]
# Where the runtime keeps its counters otherwise: the tests of what is read inside take these too, and whatever else is here.
TURNING_POINTS = ["1.18", "1.19", "1.23"]
NOBODY = 65534
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
REPEATS = 2  # at most, of a test of which a run was disturbed
MISSED_MAX = 0.01  # of a run's ticks, of 100 or more: as in cmd/show.c
STALLED_MAX = 0.5  # of the time of a test, or of a fixture


def pytest_addoption(parser):
    parser.addoption("--build", default="build", help="the build directory to test")


def stalled_s():
    """For how long so far some thread of this machine was ready and had no CPU (Documentation/accounting/psi.rst); 0: not known."""
    try:
        some = pathlib.Path("/proc/pressure/cpu").read_text().splitlines()[0]
        return int(re.search(r"total=(\d+)", some)[1]) / 1e6
    except (OSError, TypeError, IndexError):
        return 0


def slack_s():
    """How late a thread may be. Of a machine on which more threads are ready than it has CPUs for some of its last minute: more."""
    return 0.1 if os.getloadavg()[0] < 1.5 * os.cpu_count() else 2


def missed_share(record):
    """Of the ticks of a run, 1 where it was over before its first; 0 where they are too few to tell."""
    try:
        sampling = json.loads(record.read_text())["sampling"]
        ticks = sampling["samples"] + sampling["missed"]
        if sampling["samples"] == 0:
            return 1
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # it has no record, or one that a test has spoilt on purpose
    return sampling["missed"] / ticks if ticks >= 100 else 0


def disturbance(item, since, stalled):
    """What kept the machine from its work during this test, in words; None: nothing did."""
    missed = worst_missed(item)
    if missed > MISSED_MAX:
        return f"{100 * missed:.1f} % of the ticks missed"
    fixtures = [f for defs in item._fixtureinfo.name2fixturedefs.values() for f in defs]
    share = max([stalled_share(since, stalled)] + [stalled_shares.get(f, 0) for f in fixtures])
    return f"threads waited for a CPU for {100 * share:.0f} % of the time" if share > STALLED_MAX else None


def stalled_share(since, stalled):
    return (stalled_s() - stalled) / max(time.monotonic() - since, 5)  # the kernel counts every 2 s


stalled_shares = {}  # by fixture: while it was made last


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef):
    since, stalled = time.monotonic(), stalled_s()
    yield
    stalled_shares[fixturedef] = stalled_share(since, stalled)


def worst_missed(item):
    """The largest share of ticks that a run of this test has missed."""
    values = getattr(item, "funcargs", {}).values()
    folders = [item.funcargs["tmp_path"]] if "tmp_path" in item.funcargs else []
    folders += [value.results for value in values if hasattr(value, "results")]
    return max((missed_share(r) for folder in folders for r in pathlib.Path(folder).rglob("run.json")), default=0)


repeated = []  # (test, what disturbed it, what failed)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    """As pytest's own, but only the last attempt is reported."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for left in reversed(range(REPEATS + 1)):
        item.disturbance, item.since, item.stalled = None, time.monotonic(), stalled_s()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        failed = [report.when for report in reports if report.failed]
        if left == 0 or failed != ["call"] or not item.disturbance:
            break
        failure = next(report for report in reports if report.failed).longreprtext.splitlines()
        repeated.append((item.nodeid, item.disturbance, next((line[1:].strip() for line in failure if line.startswith("E ")), failure[-1])))
        item.session._setupstate.teardown_exact(None)
        item._initrequest()
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_terminal_summary(terminalreporter):
    if repeated:
        terminalreporter.section(f"tests repeated, as runs of theirs were disturbed: {len({test for test, _, _ in repeated})}")
    for test, why, what in repeated:
        terminalreporter.line(f"REPEATED {test}: {why}; {what}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if call.when == "call" and report.failed:
        item.disturbance = disturbance(item, item.since, item.stalled)  # now: its folders may be gone after it
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"


@pytest.fixture(scope="session")
def build(request):
    path = ROOT / request.config.getoption("--build")
    assert (path / "memtide").exists(), f"{path}/memtide is not built: make check"
    return path


def own_groups():
    """Every memtide-* group below the memory group that the tests run in."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        root = "/sys/fs/cgroup/memory" if "memory" in controllers.split(",") else "/sys/fs/cgroup" if number == "0" else None
        if root and os.path.exists(f"{root}/memory.stat"):
            below = pathlib.Path(root + path)
            # Of another memtide's they may go at any moment, which os.walk() does not mind.
            walk = os.walk(below if below.is_dir() else root)
            return [os.path.join(folder, name) for folder, names, _ in walk for name in names if name.startswith("memtide-")]
    return []


def wait_until(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def png_size(path):
    """(width, height)"""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def alive_owner(group):
    match = re.search(r"memtide-\d+-(\d+)-\d+$", group)
    return bool(match) and os.path.exists(f"/proc/{match.group(1)}")


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """No test leaves a group of a memtide that is gone."""
    yield
    left = [g for g in own_groups() if not alive_owner(g) and os.path.isdir(g)]  # in this order: one that ends removes its own before
    assert not left, f"cgroups left behind: {left}"


class Result:
    def __init__(self, completed, out):
        self.code = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr
        self._results = out

    @property
    def campaign(self):
        return newest_campaign(self._results)

    def runs(self):
        return self.campaign.runs()

    def run(self):
        runs = self.runs()
        assert len(runs) == 1, f"{len(runs)} runs, not one; stderr: {self.err}"
        return runs[0]


class Campaign:
    def __init__(self, path):
        self.path = path
        self.info = json.loads((path / "campaign.json").read_text())

    def runs(self):
        """run.json of every run, those that were not applicable left out."""
        found = [json.loads(p.read_text()) for p in sorted(self.path.glob("*/*/run.json"))]
        return [r for r in found if r["outcome"] != "not-applicable"]

    def run_dir(self, cell="default", repeat=1):
        return self.path / cell / str(repeat)

    def samples(self, cell="default", repeat=1):
        """(t_s, rss_bytes, usage_bytes) of every row; None: missing."""
        text = subprocess.run(
            ["zstdcat", self.run_dir(cell, repeat) / "samples.tsv.zst"], capture_output=True, check=True, text=True
        ).stdout
        rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
        return [(float(t), *(None if v == "-" else int(v) for v in (rss, usage))) for t, rss, usage in rows]


def newest_campaign(results):
    found = sorted(pathlib.Path(results).glob("*/campaign.json"))
    assert found, f"no campaign in {results}"
    return Campaign(found[-1].parent)


@pytest.fixture
def memtide(build, tmp_path):
    """memtide("run", "x.yaml", ...) -> Result; results go to tmp_path/results unless told otherwise."""
    results = tmp_path / "results"

    def call(*args, env=None, timeout=120, cwd=None, prefix=(), plot=False):
        argv = [*prefix, str(build / "memtide"), *map(str, args)]
        if args and args[0] == "run":
            if "--out" not in args:
                argv += ["--out", str(results)]
            if not plot:
                argv.append("--no-plot")
        environment = {**os.environ, "MEMTIDE_HOME": str(ROOT), **(env or {})}
        completed = subprocess.run(
            argv, capture_output=True, text=True, timeout=timeout, env=environment, cwd=cwd or tmp_path, stdin=subprocess.DEVNULL
        )
        assert "Sanitizer" not in completed.stderr, completed.stderr
        assert completed.returncode >= 0, f"memtide died by {signal.Signals(-completed.returncode).name}: {completed.stderr}"
        return Result(completed, results)

    call.results = results
    call.binary = str(build / "memtide")
    return call


@pytest.fixture
def scenario(tmp_path):
    """scenario("name", command=[...], run="for: 1s", ...) writes a scenario file and returns its path."""

    def write(name="test", command=None, program=None, run="timeout: 20s", limit="256MB", extra=""):
        if command is not None:
            program = "{command: " + json.dumps([str(c) for c in command]) + "}"
        path = tmp_path / f"{name}.yaml"
        path.write_text(
            f"name: {name}\ntitle: What does {name} do?\nprogram: {program}\nlimit: {limit}\nrun: {{{run}}}\n{extra}\n"
        )
        return path

    return write


@pytest.fixture(scope="session")
def recorded(build, tmp_path_factory):
    """A small finished campaign, never to be changed: two cells, each twice, no figures. (To be changed: copy_of_recorded.)"""
    work = tmp_path_factory.mktemp("recorded")
    alloc = [str(build / "stimuli/alloc"), "20", "300", "drop"]
    (work / "small.yaml").write_text(
        "name: small\ntitle: What does small do?\nprogram: {command: " + json.dumps(alloc) + "}\n"
        "axes: {env: [default, MODE=other]}\nlimit: 64MB\nrun: {timeout: 20s, repeat: 2}\n"
    )
    done = subprocess.run(
        [build / "memtide", "run", "small.yaml", "--out", "results", "--no-plot", "--seed", "7"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, cwd=work,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return newest_campaign(work / "results")


@pytest.fixture
def copy_of_recorded(recorded, tmp_path):
    path = tmp_path / "copy" / recorded.path.name
    shutil.copytree(recorded.path, path)
    return Campaign(path)


@pytest.fixture
def run_of_nobody(build):
    """run_of_nobody("stimuli/alloc", lambda program: scenario's text, "--limit", "none") -> (CompletedProcess, results): memtide run by a user
    without rights, from a folder of which he can read all."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="memtide-test-", dir="/tmp"))
    (folder / "results").mkdir()
    for path in (folder, folder / "results"):
        path.chmod(0o777)
    shutil.copy(build / "memtide", folder)

    def call(program, text, *options):
        (folder / "user.yaml").write_text(text(shutil.copy(build / program, folder)))
        done = subprocess.run(
            [*AS_NOBODY, f"{folder}/memtide", "run", "user.yaml", "--out", "results", "--no-plot", *options],
            capture_output=True, text=True, timeout=60, cwd=folder, stdin=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "MEMTIDE_HOME": str(folder)},
        )  # fmt: skip
        return done, folder / "results"

    yield call
    shutil.rmtree(folder)


@pytest.fixture
def stimulus(build):
    """Path of a program of known behaviour (harness/tests/stimuli)."""
    return lambda name: build / "stimuli" / name


@pytest.fixture(scope="session")
def toolchains(build):
    """The releases that the tests build with, fetched if they are not here."""
    done = subprocess.run([build / "memtide", "go", "fetch", ",".join(RELEASES + TURNING_POINTS)], capture_output=True, text=True, timeout=900)
    if done.returncode != 0:
        pytest.skip(f"prerequisite: Go {', '.join(RELEASES + TURNING_POINTS)}: {done.stderr.strip()}")
    return RELEASES


@pytest.fixture
def needs_root():
    if os.geteuid() != 0:
        pytest.skip("prerequisite: root (memory cgroups)")
