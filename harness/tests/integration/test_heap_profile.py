# SPDX-License-Identifier: Apache-2.0
"""The heap profile read from outside: `go tool pprof` says of it what it says of the profile that the program writes itself."""

import pathlib
import re
import subprocess

import pytest

from live_go import Live, programs, some  # noqa: F401: a fixture

PPROF = "pkg/tool/linux_amd64/pprof"  # comes built with releases to 1.23
RULE = "-----------+-------------------------------------------------------"


@pytest.fixture(scope="module")
def pprof(programs):
    found = [f"{root}/{PPROF}" for _, root in sorted(programs.goroots.items()) if pathlib.Path(root, PPROF).exists()]
    if not found:
        pytest.skip("prerequisite: a Go release with a built pprof (to 1.23)")

    def run(*args):
        done = subprocess.run([found[-1], *map(str, args)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def top(pprof, index, *args):
    """{function: (flat, cumulative)}"""
    unit = "B" if index.endswith("space") else "count"
    text = pprof("-top", "-nodefraction=0", "-nodecount=100000", f"-unit={unit}", f"-sample_index={index}", *args)
    rows = [line.split(None, 5) for line in text.split("cum%\n", 1)[1].splitlines()]
    return {row[5]: (row[0], row[3]) for row in rows}


def traces(pprof, index, file):
    """Every stack with its value, those of none left out; the objects' size apart, which old releases tell otherwise."""
    text = pprof("-traces", f"-unit={'B' if index.endswith('space') else 'count'}", f"-sample_index={index}", file)
    stacks = [re.sub(r"^\s*bytes:.*\n", "", t.strip("\n")).strip() for t in text.split(RULE)[1:]]
    return sorted(t for t in stacks if t and not t.startswith(("0 ", "0B ")))


def test_as_the_program_says(build, programs, pprof, tmp_path):
    for minor in some(programs.goroots):
        own, ours, later = (tmp_path / f"{minor}-{name}.pb.gz" for name in ("own", "ours", "later"))
        with Live(build, programs(minor, "heapsites")) as live:
            assert live.line() == "ready"
            assert live.tell(f"write {own}") == "ok"
            look = live.peek("heap", ours)
            live.tell("grow 32")
            live.tell("settle")
            live.peek("heap", later)
        for index in ["inuse_space", "inuse_objects", "alloc_space", "alloc_objects"]:
            said = top(pprof, index, ours)
            assert said == top(pprof, index, own), (minor, index)
            assert traces(pprof, index, ours) == traces(pprof, index, own), (minor, index)
            assert len(said) >= 5
        # 64 MB and 6 MB in main.hold, sampled: 70 MB with a standard deviation of 4.
        assert 50 << 20 < int(top(pprof, "inuse_space", ours)["main.hold"][0].rstrip("B")) < 90 << 20
        assert "Type: inuse_space" in pprof("-top", ours)
        assert look["rate"] == 512 << 10 and sum(s["inuse_bytes"] for s in look["sites"]) > 60 << 20
        assert look["sites"][0]["place"]["function"] == "main.hold" and look["sites"][0]["object_bytes"] == 1 << 20
        # What grew between two: 32 MB in main.grow, and nothing else by a tenth of that.
        grown = {f: int(flat.rstrip("B")) for f, (flat, _) in top(pprof, "inuse_space", "-diff_base", ours, later).items()}
        assert grown.pop("main.grow") == 32 << 20
        assert all(abs(n) < 3 << 20 for n in grown.values()), grown


@pytest.mark.parametrize("flags", [["-ldflags=-w"], ["-buildmode=pie"]], ids=" ".join)
def test_however_linked(build, programs, pprof, tmp_path, flags):
    for minor in [16, max(programs.goroots)]:
        with Live(build, programs(minor, "heapsites", *flags)) as live:
            live.line()
            said = live.peek("heap", tmp_path / "ours.pb.gz", fails=True)
            if flags == ["-ldflags=-w"] and isinstance(said, str):
                pytest.skip(f"prerequisite: offsets of programs without debug information: {said}")
        assert said["sites"][0]["place"]["function"] == "main.hold"
        assert "main.newList" in "".join(top(pprof, "inuse_space", tmp_path / "ours.pb.gz"))


def test_none_is_kept(build, programs, tmp_path):
    """From 1.17 on the linker leaves it out of a program that cannot ask for it."""
    for minor in some(programs.goroots):
        file = tmp_path / f"{minor}.pb.gz"
        with Live(build, programs(minor, "parked"), 10_000) as live:
            live.line()
            live.tell("gc")
            live.tell("gc")
            look = live.peek("heap", file)
        if minor >= 17:
            assert "from Go 1.17 on the linker leaves it out" in look["none"]
            assert not file.exists()
        else:
            assert look["sites"] and file.exists()


@pytest.mark.parametrize("what", ["cycle", "head", "none"])
def test_of_a_liar(build, programs, tmp_path, what):
    with Live(build, programs(max(programs.goroots), "heapsites")) as live:
        live.line()
        where = live.peek("where")
        (first,) = live.words(where["mbuckets"])
        if what == "cycle":
            (second,) = live.words(first + where["bucket_allnext"])
            live.damage(second + where["bucket_allnext"], first)
        elif what == "head":
            live.damage(where["mbuckets"], 0xDEAD0000)
        else:
            live.damage(where["mbuckets"], 0)
        said = live.peek("heap", tmp_path / "x.pb.gz", fails=True)
    if what == "none":
        assert "nothing has been sampled yet" in said["none"]
    else:
        assert {"cycle": "has no end", "head": "makes no sense"}[what] in said
    assert not (tmp_path / "x.pb.gz").exists()
