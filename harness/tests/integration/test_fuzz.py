# SPDX-License-Identifier: Apache-2.0
"""A few hundred damaged Go binaries; `make fuzz FUZZ=10m` is the long run, under sanitizers."""

import re
import subprocess
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "harness/tests/fuzz"))
import fuzz

EXECUTIONS = 400


@pytest.fixture(scope="module")
def binaries(build, toolchains, tmp_path_factory):
    return fuzz.binaries(build, tmp_path_factory.mktemp("fuzz"), [11, 16, 99], ["whole", "default", "w"])


def test_damaged_binaries(build, binaries):
    done = subprocess.run(
        [build / "fuzz/fuzz_layout", "1", "0", str(EXECUTIONS), "0", *binaries], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ran, still_go = map(int, re.match(r"executions (\d+), still a Go binary (\d+), crashes and hangs 0", done.stdout).groups())
    # Damage that nothing notices, and damage that everything refuses, would test nothing.
    assert ran == EXECUTIONS and EXECUTIONS * 0.3 < still_go < EXECUTIONS
