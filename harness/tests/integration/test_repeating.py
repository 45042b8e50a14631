# SPDX-License-Identifier: Apache-2.0
"""What conftest.py repeats: tests that fail beside a disturbed run of their own, and no others."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent


def pytest_in(work):
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "conftest", "-q", "--basetemp", work / "base", "test_it.py"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=work, env={**os.environ, "PYTHONPATH": str(HERE)})


@pytest.fixture
def attempts(tmp_path_factory):
    """attempts(missed, passes) runs a test whose run missed that many of 1 000 ticks, and which passes at that attempt; returns how
    often it was run, and (failed, output). In a folder that is not this test's own: it holds a record of a disturbed run. stalled:
    so many seconds of it some thread had no CPU."""

    def call(missed, passes, folder="tmp_path", stalled=0):
        work = tmp_path_factory.mktemp("repeating")
        (work / "test_it.py").write_text(
            "import json, pathlib\n"
            "import conftest\n"
            "waited = [100]\n"
            "conftest.stalled_s = lambda: waited[0]\n"
            f"COUNT = pathlib.Path({str(work / 'count')!r})\n"
            "def test_it(tmp_path, tmp_path_factory):\n"
            f"    waited[0] += {stalled}\n"
            "    COUNT.write_text((COUNT.read_text() if COUNT.exists() else '') + 'x')\n"
            f"    ({folder} / 'run.json').write_text(json.dumps({{'sampling': {{'samples': {1000 - missed}, 'missed': {missed}}}}}))\n"
            f"    assert len(COUNT.read_text()) == {passes}\n"
        )
        done = pytest_in(work)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return len((work / "count").read_text()), done.returncode == 1, done.stdout

    return call


def test_a_disturbed_test_is_repeated(attempts):
    count, failed, out = attempts(missed=11, passes=3)
    assert (count, failed) == (3, False)
    assert "disturbed: 1" in out
    assert out.count("REPEATED test_it.py::test_it: 1.1 % of the ticks missed; ") == 2, out


def test_three_failures_are_one(attempts):
    count, failed, out = attempts(missed=500, passes=None)
    assert (count, failed) == (3, True)
    assert "REPEATED" in out and "1 failed" in out


def test_without_a_disturbed_run_it_fails_at_once(attempts):
    count, failed, out = attempts(missed=10, passes=2)
    assert (count, failed) == (1, True)
    assert "epeated" not in out


def test_a_starved_test_is_repeated(attempts):
    count, failed, out = attempts(missed=0, passes=2, stalled=10)
    assert (count, failed) == (2, False)
    assert "threads waited for a CPU for 200 % of the time" in out


def test_the_runs_of_others_do_not_count(attempts):
    assert attempts(missed=500, passes=2, folder="tmp_path_factory.mktemp('other')")[:2] == (1, True)


def test_what_passes_is_not_repeated(attempts):
    count, failed, out = attempts(missed=500, passes=1)
    assert (count, failed) == (1, False)
    assert "epeated" not in out


def test_what_a_starved_fixture_recorded_is_recorded_anew(tmp_path):
    """The test itself was not starved, but the fixture that it shares with others."""
    (tmp_path / "test_it.py").write_text(
        "import conftest, pytest\n"
        "waited, made = [100], []\n"
        "conftest.stalled_s = lambda: waited[0]\n"
        "@pytest.fixture(scope='module')\n"
        "def recording():\n"
        "    waited[0] += 10\n"
        "    made.append(None)\n"
        "    return len(made)\n"
        "def test_before(recording):\n"
        "    pass\n"
        "def test_it(recording):\n"
        "    assert recording == 2, f'made {len(made)} times'\n"
        "def test_after(recording):\n"
        "    assert recording == 2, f'made {len(made)} times'\n"
    )
    done = pytest_in(tmp_path)
    assert "3 passed" in done.stdout and done.stdout.count("REPEATED test_it.py::test_it: threads waited") == 1, done.stdout
