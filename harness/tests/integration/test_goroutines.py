# SPDX-License-Identifier: Apache-2.0
"""Goroutines, threads and code addresses of live Go programs read from outside, held against what the programs say of themselves."""

import collections
import pathlib
import random
import re

import pytest

from live_go import SOURCES, Live, programs, some  # noqa: F401: a fixture

MANY = 20_000


def every(programs):
    return sorted(programs.goroots)


def lines_of(name):
    """{comment: line} of "// comment" at the ends of a stimulus' lines."""
    text = (SOURCES / name / "main.go").read_text().splitlines()
    return {m.group(1): n for n, line in enumerate(text, 1) if (m := re.search(r"\S.*// ([a-z]+:? [a-z]+)$", line))}


def at(place):
    return place["function"], place["line"]


# --- code addresses -----------------------------------------------------------------------------------------------------------------


def truth(live):
    """(kind, pc, function, file, line) as the program itself says."""
    while (line := live.line()) != "done":
        kind, pc, rest = line.split(" ", 2)
        function, place = rest.rsplit(" ", 1) if not re.search(r"\.(go|s):\d+$", rest) else re.match(r"(.*?) (\S*)$", rest).groups()
        file, number = place.rsplit(":", 1)
        yield kind, pc, function, "" if file == "?" else file, int(number)


def shortened(function):
    """Go lengthens "[6]" of compiler-made functions too; memtide leaves it."""
    return re.sub(r"\[.*\]", "[...]", function)


def check_symbols(build, binary, minor):
    with Live(build, binary) as live:
        rows = list(truth(live))
        found = live.peek("symbols", stdin="".join(pc + "\n" for _, pc, *_ in rows))
    functions = collections.Counter()
    for (kind, pc, function, file, line), frames in zip(rows, found, strict=True):
        assert frames, (pc, function)
        # FuncForPC of 1.11 names the outermost function, later ones the innermost. 1.16 to 1.19 have no name for the very first function.
        named = frames[-1 if kind == "at" and minor < 12 else 0]["function"]
        assert not function or shortened(named) == shortened(function), (pc, function, frames)
        assert (frames[0]["file"], frames[0]["line"]) == (file, line), (pc, function, frames)
        functions[function] += 1
    assert len(functions) > 1000 and len(rows) > 15_000
    stack = [(row[1:], frames) for row, frames in zip(rows, found) if row[0] == "stack"]
    inlined = max(len(frames) for _, frames in stack)
    assert inlined == (1 if minor < 12 else 3), "main.inner and main.middle are inlined into main.outer from 1.12 on"
    for i, ((pc, *_), frames) in enumerate(stack):
        if len(frames) == 3:
            assert [(f["function"], f["file"], f["line"]) for f in frames] == [row[1:] for row, _ in stack[i : i + 3]]
    standard = {f["function"]: f["standard"] for _, frames in stack for f in frames}
    assert standard["runtime.main"] and not standard["main.main"]


def test_symbols_of_every_release(build, programs):
    for minor in every(programs):
        check_symbols(build, programs(minor, "symbols"), minor)


@pytest.mark.parametrize("flags", [["-ldflags=-w"], ["-ldflags=-s -w"], ["-buildmode=pie"], ["-buildmode=pie", "-ldflags=-s -w"]], ids=" ".join)
def test_symbols_however_linked(build, programs, flags):
    for minor in some(programs.goroots):
        check_symbols(build, programs(minor, "symbols", *flags), minor)


def test_symbols_of_programs_with_c(build, programs):
    """gcc links those: runtime.text is not where .text begins, and in a PIE the table has no section of its own."""
    for minor in [11, max(programs.goroots)]:
        for flags in [[], ["-buildmode=pie"], ["-buildmode=pie", "-ldflags=-s -w"]]:
            with Live(build, programs(minor, "threads", *flags, cgo=True)) as live:
                assert live.line() == "ready"
                found = live.peek("symbols", stdin="".join(f"{pc:x}\n" for pc in live_pcs(live)))
            functions = {frames[-1]["function"] for frames in found if frames}
            assert any(re.fullmatch(r"(internal/runtime/)?syscall[./].*Syscall6?", f) for f in functions), (minor, flags, functions)
            assert any(f.startswith("runtime.futex") for f in functions)


def live_pcs(live):
    """Where its threads are in system calls: the last word of /proc/PID/task/TID/syscall, if Go's own code made the call."""
    for task in pathlib.Path(f"/proc/{live.process.pid}/task").iterdir():
        words = (task / "syscall").read_text().split()
        if len(words) > 2:
            yield int(words[-1], 16) - 1


def test_trimmed_paths_tell_the_library_apart(build, programs):
    minor = max(programs.goroots)
    with Live(build, programs(minor, "symbols", "-trimpath")) as live:
        rows = list(truth(live))
        found = live.peek("symbols", stdin="".join(pc + "\n" for _, pc, *_ in rows))
    standard = {f["function"]: f["standard"] for frames in found for f in frames}
    assert standard["runtime.main"] and standard["fmt.Fprintf"] and not standard["main.main"] and not standard["main.leaf"]


# --- goroutines ---------------------------------------------------------------------------------------------------------------------


def check_parked(build, binary, n, minor):
    lines = lines_of("parked")
    with Live(build, binary, n) as live:
        word, number = live.line().split()
        assert word == "ready"
        number = int(live.tell("gc"))
        look = live.peek("goroutines")
        assert int(live.tell("gc")) == number
    assert not look["truncated"]
    assert look["total"] == number
    assert sum(g["count"] for g in look["groups"] if not g["system"]) == number
    own = {(at(g["made"]), g["wait"]): g for g in look["groups"] if g["made"]["function"].startswith("main.")}
    lock = "sync.Mutex.Lock" if minor >= 20 else "semacquire"
    for function, made, wait, waits, count in [
        ("main.newReader", "made: reader", "chan receive", "reader", n),
        ("main.main", "made: selector", "select", "selector", n),
        ("main.main", "made: sleeper", "sleep", "sleeper", n),
        ("main.main", "made: locker", lock, "locker", n),
        ("main.main", "made: deep", "chan receive", "deep", 10),
        ("main.main", "made: accepter", "IO wait", "accepter", 1),
    ]:
        group = own.pop(((function, lines[made]), wait))
        assert group["count"] == count and group["state"] == "waiting" and not group["system"]
        assert at(group["blocked"]) == ("main." + waits, lines[f"{waits} waits"])
        assert group["made"]["file"] == str(SOURCES / "parked/main.go") == group["blocked"]["file"]
        # 2 KB each, or what a release that measures gives; those that went deep have grown.
        least = 32768 if waits == "deep" else 2048
        assert least * count <= group["stack_bytes"] <= 4 * least * count
        assert 0 <= group["oldest_wait_s"] < 60, "the garbage collector notes since when a goroutine waits"
    assert not own
    main = [g for g in look["groups"] if g["made"]["function"] == "runtime.main" and not g["system"]]
    assert len(main) == 1 and main[0]["count"] == 1 and at(main[0]["blocked"]) == ("main.main", lines["main waits"])
    waits = {g["wait"] for g in look["groups"] if g["system"]}
    assert {"GC worker (idle)", "finalizer wait", "force gc (idle)"} <= waits
    return look


def test_goroutines_of_every_release(build, programs):
    for minor in every(programs):
        check_parked(build, programs(minor, "parked"), 100, minor)


@pytest.mark.parametrize("flags", [["-ldflags=-w"], ["-buildmode=pie"]], ids=" ".join)
def test_goroutines_however_linked(build, programs, flags):
    for minor in some(programs.goroots):
        with Live(build, programs(minor, "parked", *flags), 10) as live:
            live.line()
            if flags == ["-ldflags=-w"] and "offsets" in str(live.peek("goroutines", fails=True)):
                pytest.skip("prerequisite: offsets of programs without debug information")
        check_parked(build, programs(minor, "parked", *flags), 100, minor)


def test_many_goroutines(build, programs):
    look = check_parked(build, programs(max(programs.goroots), "parked"), MANY, max(programs.goroots))
    assert look["total"] > 4 * MANY


def test_goroutines_while_they_are_made(build, programs):
    for minor in some(programs.goroots):
        with Live(build, programs(minor, "parked"), 10) as live:
            before = int(live.line().split()[1])
            assert live.tell("grow 200000") == "growing"
            totals = [live.peek("goroutines")["total"] for _ in range(20)]
            after = int(live.line())
            look = live.peek("goroutines")
        assert after == before + 200_000 == look["total"] and not look["truncated"]
        assert all(before <= total <= after for total in totals)
        assert totals == sorted(totals)


@pytest.mark.parametrize("what", ["length", "array", "pointers", "records"])
def test_goroutines_of_a_liar(build, programs, what):
    """A list that makes no sense: an end, and either an error or `truncated`, never a number that pretends."""
    with Live(build, programs(max(programs.goroots), "parked"), 500) as live:
        live.line()
        where = live.peek("where")
        array, length, _ = live.words(where["allgs"], 3)
        if what == "length":
            live.damage(where["allglen"], 1 << 62)
        elif what == "array":
            live.damage(where["allgs"], 0xDEAD0000)
        elif what == "pointers":
            pick = random.Random(1)
            live.damage(array, *[pick.getrandbits(47) for _ in range(length)])
        else:
            # Each points into the middle of another one.
            live.damage(array, *[p + 40 for p in live.words(array, length)])
        said = live.peek("goroutines", fails=True)
    if isinstance(said, str):
        assert what == "length" and "makes no sense" in said
    else:
        assert said["truncated"]


def test_goroutines_of_a_process_that_ends(build, programs):
    with Live(build, programs(max(programs.goroots), "parked"), 10) as live:
        live.line()
        live.process.kill()
        live.process.wait()
        assert "process" in live.peek("goroutines", fails=True)


# --- threads ------------------------------------------------------------------------------------------------------------------------


def test_threads(build, programs):
    for minor in some(programs.goroots):
        with Live(build, programs(minor, "threads", cgo=True)) as live:
            assert live.line() == "ready"
            for _ in range(50):
                look = live.peek("threads")
                found = {(g["doing"], g["detail"]): g["count"] for g in look["groups"]}
                # The one that computes changes its thread now and then: not to be met between two.
                if found.get(("running Go", "running")) == 1:
                    break
        assert found["running Go", "running"] == 1
        # The main goroutine reads its standard input.
        assert found["in a system call", "read"] == 6
        assert found["in C", "pause"] == 4
        assert found["of C", "pause"] == 3
        rest = {(doing, detail) for doing, detail in found if doing in ("idle", "running Go")} - {("running Go", "running")}
        assert any(doing == "idle" for doing, _ in rest)
        assert sum(found.values()) == look["total"] == 14 + sum(found[key] for key in rest)


def test_threads_of_a_liar(build, programs):
    with Live(build, programs(max(programs.goroots), "parked"), 10) as live:
        live.line()
        where = live.peek("where")
        (first,) = live.words(where["allm"])
        live.damage(first + where["m_alllink"], first)
        look = live.peek("threads")
        assert look["total"] == sum(g["count"] for g in look["groups"]) >= 3
