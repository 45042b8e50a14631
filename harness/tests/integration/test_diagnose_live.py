# SPDX-License-Identifier: Apache-2.0
"""`memtide diagnose PID`: why a process that runs holds its memory."""

import json
import os
import subprocess

import pytest
from conftest import AS_NOBODY, ROOT
from live_service import Service, open_folder, service_of  # noqa: F401: fixtures


@pytest.fixture
def diagnose(build, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def call(*args, prefix=(), code=None):
        argv = [*prefix, build / "memtide", "diagnose", *map(str, args)]
        env = {**os.environ, "MEMTIDE_HOME": str(ROOT), "TMPDIR": str(scratch)}
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path)
        assert "Sanitizer" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, done.stderr
        return done

    call.scratch = scratch
    return call


@pytest.mark.parametrize(
    "told, mechanism, says",
    [
        (["hold 200"], "live-heap", "objects"),
        (["leak 50000"], "goroutines", "main.leak"),
        (["map 200"], "native", "not Go's"),
        (["hold 300", "drop-and-stop"], "not-yet-scavenged", "free in Go's heap"),
    ],
)
@pytest.mark.parametrize("release", ["1.16", "latest"])
def test_mechanisms(diagnose, service_of, release, told, mechanism, says):  # noqa: F811
    if mechanism == "not-yet-scavenged" and release != "latest":
        return  # given back by then
    with Service(service_of(release), env={**os.environ, "GODEBUG": "madvdontneed=1"}) as s:
        for line in told:
            s.tell(line)
        answer = json.loads(diagnose(s.pid, "--for", "2s", "--json", code=0).stdout)
        assert answer["mechanism"] == mechanism, answer["text"]
        assert says in answer["text"]
        assert answer["evidence"] and answer["attached"]["pid"] == s.pid
        assert s.process.poll() is None


def test_what_grows_is_what_is_told(diagnose, service_of):  # noqa: F811
    """150 MB are there and stay; goroutines come."""
    with Service(service_of()) as s:
        s.tell("hold 150")
        s.tell("leak-on 10000")
        answer = json.loads(diagnose(s.pid, "--for", "4s", "--json", code=0).stdout)
        assert answer["growing"] and answer["mechanism"] == "goroutines", answer["text"]


def test_in_plain_sentences(diagnose, service_of):  # noqa: F811
    with Service(service_of()) as s:
        s.tell("leak 50000")
        done = diagnose(s.pid, "--for", "2s", code=0)
        assert "goroutines" in done.stdout and "main.leak" in done.stdout and "chan receive" in done.stdout
        assert f"Watching service-latest (pid {s.pid}) for 2.00 s." in done.stderr


def test_the_record_is_kept_where_that_is_asked_for(diagnose, service_of, tmp_path):  # noqa: F811
    with Service(service_of()) as s:
        done = diagnose(s.pid, "--for", "1s", "--out", "kept")
        (kept,) = (tmp_path / "kept").iterdir()
        assert f"Recorded in kept/{kept.name}" in done.stdout
        title, answer = diagnose(kept).stdout.split("\n\n", 1)
        assert title.startswith("attach-service") and answer.strip() and answer.strip() in done.stdout
        assert title not in done.stdout  # who asks of one process knows what he asked


def test_heap_profiles_are_kept_for_who_is_told_of_them(diagnose, service_of):  # noqa: F811
    """In a folder of their own, which stays."""
    with Service(service_of("1.16")) as s:
        s.tell("hold 100")
        done = diagnose(s.pid, "--for", "1s", code=0)
        (kept,) = diagnose.scratch.glob("*/*")
        assert f"Recorded in {kept}" in done.stdout and list(kept.glob("default/1/heap-*.pb.gz"))


def test_heap_profiles_of_which_nothing_is_told_go(diagnose, service_of):  # noqa: F811
    with Service(service_of("1.16")) as s:
        s.tell("leak 50000")
        done = diagnose(s.pid, "--for", "1s", code=0)
        assert done.stdout.startswith("goroutines\n") and "Recorded in" not in done.stdout
        assert json.loads(diagnose(s.pid, "--for", "1s", "--json", code=0).stdout)["campaign"] is None
        assert not list(diagnose.scratch.iterdir())


def test_not_go(diagnose):
    p = subprocess.Popen(["sleep", "60"])
    try:
        done = diagnose(p.pid, "--for", "1s", code=3)
        assert "Only what the kernel tells of it" in done.stderr and "unknown" in done.stdout
        answer = json.loads(diagnose(p.pid, "--for", "1s", "--json", code=3).stdout)
        assert answer["campaign"] is None and answer["run"] is None
        assert not list(diagnose.scratch.iterdir())
    finally:
        p.kill()
        p.wait()


def test_wrong_use(diagnose, service_of):  # noqa: F811
    with Service(service_of()) as s:
        cases = [
            ((s.pid, "--confirm"), "only watched"),
            ((s.pid, "--cell", "x"), "a process has none"),
            ((s.pid, "--for", "3"), "--for"),
            ((".", "--for", "3s"), "are for a process"),
            ((s.pid, "--out", ""), "--out"),
            (("999999999999",), "no number of a process"),
        ]
        for args, says in cases:
            assert says in diagnose(*args, code=2).stderr, args


def test_ended_meanwhile(diagnose, service_of):  # noqa: F811
    with Service(service_of()) as s:
        s.tell("hold 100")
        attached = f"{diagnose.scratch}/*/*/default/1/goroutines.json"
        p = subprocess.Popen(["sh", "-c", f"until ls {attached} >/dev/null 2>&1; do sleep 0.1; done; sleep 0.5; kill -KILL {s.pid}"])
        done = diagnose(s.pid, "--for", "30s", "--json")
        p.wait()
        assert done.returncode in (0, 3)
        assert json.loads(done.stdout)["mechanism"] in ("live-heap", "unknown")
