# SPDX-License-Identifier: Apache-2.0
"""What memtide inherits, and what a target says or leaves open, must not change what is told."""

import json
import os
import signal
import subprocess
import sys

import pytest

from conftest import ROOT, newest_campaign, wait_until

pytestmark = pytest.mark.usefixtures("needs_root")


def shell(text):
    return ["/bin/sh", "-c", text]


def test_bytes_that_are_no_text(memtide, scenario):
    """A panic with binary data in it is told, and the run is on record."""
    run = memtide("run", scenario(command=shell(r"printf 'panic: \377\376 x\n' >&2; exit 2"))).run()
    assert run["outcome"] == "go-fatal" and run["why"].endswith("panic: ?? x")


def test_a_dump_larger_than_what_is_kept(memtide, scenario):
    """Go says why it gives up first, and lists 10 000 goroutines after it."""
    dump = "echo 'fatal error: thread exhaustion' >&2; head -c 3000000 /dev/zero | tr '\\0' 'x' >&2; exit 2"
    run = memtide("run", scenario(command=shell(dump))).run()
    assert run["outcome"] == "go-fatal" and "thread exhaustion" in run["why"]


def test_ignored_child_signal(memtide, scenario, stimulus):
    """A parent that ignores SIGCHLD hands that down; outcomes are read all the same."""
    ignore = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    result = memtide("run", scenario(command=[stimulus("misbehave"), "exit", 7]), prefix=[sys.executable, "-c", ignore])
    assert (result.run()["outcome"], result.run()["exit_code"]) == ("exit", 7)


def test_no_stray_descriptor_in_the_target(memtide, scenario):
    result = memtide(
        "run", scenario(command=shell("ls -l /proc/self/fd; ulimit -Sn")), prefix=shell('exec 9</dev/null; ulimit -Sn 555; exec "$0" "$@"')
    )
    out = (result.campaign.run_dir() / "stdout").read_text()
    assert result.run()["outcome"] == "ok"
    assert " 9 -> " not in out and " 3 -> pipe:" in out and " 0 -> /dev/null" in out
    assert out.split()[-1] == "555"


def test_interrupted_is_interrupted(memtide, scenario, stimulus):
    """Ctrl-C ends the whole command, not one scenario of it."""
    paths = [scenario(name=n, command=[stimulus("misbehave"), "sleep"], run="for: 20s") for n in ("first", "second")]
    argv = [memtide.binary, "run", *map(str, paths), "--out", str(memtide.results), "--no-plot"]
    process = subprocess.Popen(argv, env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: list(memtide.results.glob("*/default/1/samples.tsv.zst")))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 3
    finally:
        process.kill()
        process.communicate()
    assert [c.parent.name[-5:] for c in memtide.results.glob("*/campaign.json")] == ["first"]


def test_two_memtides_in_one_folder(memtide, scenario, tmp_path):
    """--resume keeps its hands off a campaign that is at work."""
    path = scenario(command=shell(f"until [ -e {tmp_path}/go-on ]; do sleep 0.1; done"), run="timeout: 100s")
    argv = [memtide.binary, "run", str(path), "--out", str(memtide.results), "--no-plot"]
    process = subprocess.Popen(argv, env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: list(memtide.results.glob("*/default/1/samples.tsv.zst")))
        second = memtide("run", path, "--resume")
        assert second.code == 2 and "another memtide is at work" in second.err
        (tmp_path / "go-on").touch()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
    campaign = newest_campaign(memtide.results)
    assert campaign.runs()[0]["outcome"] == "ok" and campaign.runs()[0]["damage"] is None


def test_resume_with_another_program(memtide, toolchains, tmp_path, scenario):
    """Two programs in one cell would be a median over different things."""
    module = tmp_path / "module"
    module.mkdir()
    (module / "go.mod").write_text("module stimuli.test/changing\n\ngo 1.16\n")
    (module / "main.go").write_text("package main\n\nfunc main() { println(1) }\n")
    path = scenario(program=f"{{dir: {module}}}", run="timeout: 20s, repeat: 2", extra="axes: {go: [1.16]}")
    result = memtide("run", path)
    assert result.code == 0, result.err
    run = result.campaign.run_dir("go=1.16", 2) / "run.json"
    content = json.loads(run.read_text())
    run.write_text(json.dumps({**content, "outcome": "interrupted"}))
    (module / "main.go").write_text("package main\n\nfunc main() { println(2) }\n")
    again = memtide("run", path, "--resume")
    assert again.code == 2 and "program" in again.err and "no longer" in again.err


def test_resume_remembers_what_could_not_be_built(memtide, toolchains, tmp_path, scenario):
    module = tmp_path / "broken"
    module.mkdir()
    (module / "go.mod").write_text("module stimuli.test/broken\n\ngo 1.16\n")
    (module / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    path = scenario(program=f"{{dir: {module}}}", extra="axes: {go: [1.16]}")
    assert memtide("run", path).code == 3
    assert memtide("run", path, "--resume").code == 3
