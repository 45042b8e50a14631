# SPDX-License-Identifier: Apache-2.0
"""The unit tests of the pure rooms (cmocka), one case each, so that one runner counts all."""

import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
NAMES = sorted(p.stem for p in (ROOT / "harness/tests/unit").glob("test_*.c"))


@pytest.mark.parametrize("name", NAMES)
def test_unit(build, name):
    done = subprocess.run([build / "tests" / name], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED" not in done.stdout + done.stderr, "prerequisite: " + done.stdout + done.stderr
