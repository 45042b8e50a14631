# SPDX-License-Identifier: Apache-2.0
"""What is read of the Go runtime inside a run: the series, the metrics, and what stands for them where it cannot be read.

stimuli/go/phases says of itself, by runtime.ReadMemStats, what is read of it from outside.
"""

import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import ROOT, Campaign, newest_campaign, slack_s, wait_until

GO_STIMULI = ROOT / "harness/tests/stimuli/go"
INSIDE = ["1.11", "1.16", "1.19", "1.23", "latest"]
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
MB = 1 << 20
SPAN = 16 * 1024  # what ReadMemStats and a line written take themselves
MAPPED = 32 * MB - 64 * 1024  # at its end it may share a mapping with something of the runtime's
PARTS = ["objects", "fragmentation", "stacks", "idle", "lazyfree", "runtime", "native", "thread_stacks", "files"]


def table(path):
    """Rows of a series as dicts of numbers; None: missing."""
    text = subprocess.run(["zstdcat", path], capture_output=True, text=True).stdout
    lines = text.splitlines()
    names = lines[1].lstrip("# ").split("\t")
    return [
        {n: None if v == "-" else float(v) for n, v in zip(names, line.split("\t"))} for line in lines if not line.startswith("#")
    ]


def at(rows, t):
    """The row that holds at a time."""
    held = [r for r in rows if r["t_s"] <= t]
    assert held, f"nothing at {t}"
    return held[-1]


def told(run):
    """What the program told, by name, a value for each phase, and when it was told."""
    phases = {}
    for v in run["values"]:
        phases.setdefault(v["name"], []).append((v["t_s"], v["value"]))
    return phases


def mark(run, name):
    return next(m["t_s"] for m in run["marks"] if m["name"] == name)


class Inside:
    def __init__(self, folder):
        self.dir = folder
        self.run = json.loads((folder / "run.json").read_text())
        self.go = table(folder / "go.tsv.zst")
        self.splits = table(folder / "split.tsv.zst")
        self.samples = table(folder / "samples.tsv.zst")
        self.goroutines = json.loads((folder / "goroutines.json").read_text())


@pytest.fixture(scope="module")
def releases(build):
    done = subprocess.run([build / "memtide", "go", "fetch", ",".join(INSIDE)], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        pytest.skip(f"prerequisite: Go {', '.join(INSIDE)}: {done.stderr.strip()}")
    return INSIDE


@pytest.fixture(scope="module")
def phases(build, releases, tmp_path_factory):
    """stimuli/go/phases on each release and both clocks, recorded once: (release, clock) -> Inside."""
    found = {}
    for clock in ("real", "virtual"):
        work = tmp_path_factory.mktemp(f"inside-{clock}")
        (work / "phases.yaml").write_text(
            f"name: phases\ntitle: What is inside?\nprogram: {{dir: {GO_STIMULI / 'phases'}}}\nargs: [profile]\n"
            f"axes: {{go: [{', '.join(releases)}]}}\nlimit: 256MB\nrun: {{for: 8s, clock: {clock}}}\n"
        )
        done = subprocess.run(
            [build / "memtide", "run", "phases.yaml", "--out", "results", "--no-plot"],
            capture_output=True, text=True, timeout=300, env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, cwd=work,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        campaign = newest_campaign(work / "results")
        cells = [c["id"] for c in campaign.info["cells"]]
        assert len(cells) == len(releases)
        for release, cell in zip(releases, cells):
            found[release, clock] = Inside(campaign.run_dir(cell))
    return found


@pytest.fixture(params=[(r, c) for r in INSIDE for c in ("real", "virtual")], ids=lambda p: f"{p[0]}-{p[1]}")
def inside(request, phases):
    return phases[request.param]


# ---- the series


def test_the_runtime_was_read(inside):
    runtime = inside.run["runtime"]
    assert runtime["read"] is True and runtime["why"] is None and runtime["by"] == "dwarf"
    assert runtime["version"] == f"go{inside.run['go']['version']}"
    assert runtime["raced"] <= 0.05 * runtime["readings"] and runtime["readings"] > 20
    assert runtime["splits"] >= 4 and runtime["splits_raced"] <= 1 and runtime["split_why"] is None
    assert runtime["settings"]["gogc"] == 100 and runtime["settings"]["gomaxprocs"] >= 1
    minor = int(inside.run["go"]["version"].split(".")[1])
    assert runtime["settings"].get("memory_limit_bytes", "-") == (None if minor >= 19 else "-")


def test_the_accounting_is_that_of_read_mem_stats(inside):
    """At the moment at which the program told it, of every release, within one span."""
    for name, values in told(inside.run).items():
        for t, value in values:
            # What was told is read right after it, so that the looks around it frame it.
            near = [at(inside.go, t - 0.05), at(inside.go, t), *[r for r in inside.go if t < r["t_s"] < t + 0.05]]
            column = name if name in ("gc_count", "goroutines") else f"{name}_bytes"
            read = [r[column] for r in near if r[column] is not None]
            slack = {"goroutines": 0, "gc_count": 0, "gc_goal": 0}.get(name, 2 * SPAN)
            assert any(abs(v - value) <= slack for v in read), f"{name} at {t}: told {value}, read {read}"


def test_the_series_has_no_hole_while_the_program_lives(inside):
    check_first_look(inside.run, inside.go)
    assert all(r["goroutines"] is not None for r in inside.go[:-1])
    times = [r["t_s"] for r in inside.go]
    assert times == sorted(times)
    if inside.run["clock"]["kind"] == "real":
        assert max(b - a for a, b in zip(times, times[1:])) < 1.5 + slack_s(), "a row a second"


def check_first_look(run, go):
    """The program sleeps for a second before its first mark. Of a virtual clock nothing was skipped before the first look: so far, the target's
    time was real time, of which the whole run took no more than this. On the real one it takes as long as it takes."""
    real_s = run["target_s"] - run["clock"]["skipped_s"]
    assert go[0]["t_s"] <= (real_s if run["clock"]["kind"] == "virtual" else 1.5 + slack_s()), "it was read too late"
    assert run["clock"]["kind"] == "real" or go[0]["t_s"] < mark(run, "load")


def test_the_parts_sum_to_rss(inside):
    assert len(inside.splits) == inside.run["runtime"]["splits"]
    for row in inside.splits:
        parts = sum(row[f"{p}_bytes"] for p in PARTS)
        assert parts == row["rss_bytes"]
        # RSS may have moved while the look went on.
        rss = [at(inside.samples, row["t_s"] + d)["rss_bytes"] for d in (-0.02, 0, 0.02)]
        slack = max(MB, 0.005 * max(rss))
        assert min(rss) - slack <= parts <= max(rss) + slack, row
    assert inside.run["runtime"]["split_error_bytes"] <= max(MB, 0.005 * inside.run["metrics"]["peak_rss_bytes"])


def test_every_mark_has_its_split(inside):
    ends = [mark(inside.run, name) for name in ("loaded", "dropped")] + [inside.run["target_s"]]
    for name, end in zip(("load", "loaded", "dropped"), ends):
        t = mark(inside.run, name)
        assert any(t <= row["t_s"] < end for row in inside.splits), f"none after {name} at {t}"
    assert inside.splits[-1]["t_s"] > inside.run["target_s"] - 0.5, "one at the end"


def test_the_split_knows_what_holds_the_memory(inside):
    loaded = next(r for r in inside.splits if r["t_s"] >= mark(inside.run, "loaded"))
    dropped = next(r for r in inside.splits if r["t_s"] >= mark(inside.run, "dropped"))
    assert 64 * MB <= loaded["objects_bytes"] <= 67 * MB
    assert MAPPED <= loaded["native_bytes"] <= 35 * MB
    assert 1000 * 2048 <= loaded["stacks_bytes"] <= 4 * MB + 1000 * 4096
    assert dropped["objects_bytes"] <= 3 * MB
    assert MAPPED <= dropped["native_bytes"] <= 35 * MB


# ---- the metrics


def test_metrics_are_what_was_read(inside):
    m, last = inside.run["metrics"], {k: v[-1][1] for k, v in told(inside.run).items()}
    assert m["goroutines_settled"] == last["goroutines"] == 1001
    assert m["goroutines_peak"] == 1001
    assert m["gc_count"] == last["gc_count"]
    for metric, name in (
        ("heap_inuse_settled_bytes", "heap_inuse"),
        ("heap_released_settled_bytes", "heap_released"),
        ("stacks_settled_bytes", "stacks"),
        ("runtime_settled_bytes", "runtime"),
        ("heap_idle_settled_bytes", "heap_idle"),
    ):
        assert abs(m[metric] - last[name]) <= 0.01 * last[name] + 16 * SPAN, metric
    assert m["threads_made"] >= 3
    assert MAPPED <= m["native_settled_bytes"] <= 35 * MB and m["native_peak_bytes"] >= m["native_settled_bytes"]
    assert 64 * MB <= m["objects_peak_bytes"] <= 67 * MB and m["objects_settled_bytes"] <= 3 * MB
    parts = ["objects", "fragmentation", "stacks_resident", "idle", "lazyfree_split", "runtime_resident", "native", "thread_stacks", "files"]
    assert abs(sum(m[f"{p}_settled_bytes"] for p in parts) - inside.splits[-1]["rss_bytes"]) <= 2 * MB


# ---- what is taken at marks


def test_goroutines_by_origin(inside):
    snapshots = inside.goroutines["snapshots"]
    assert inside.goroutines["format"] == "memtide-goroutines/1"
    assert [s["at"] for s in snapshots] == ["load", "loaded", "dropped", "end"]
    for s in snapshots[1:]:
        assert s["total"] == 1001 and not s["truncated"]
        group = s["groups"][0]
        assert group["count"] == 1000 and group["function"] == "main.main" and group["file"].endswith("phases/main.go")
        assert group["state"] == "waiting" and group["wait"] == "chan receive" and not group["system"]
        assert group["stack_bytes"] >= 1000 * 2048
        assert s["threads"]["total"] >= 3 and sum(g["count"] for g in s["threads"]["groups"]) == s["threads"]["total"]
        # As old as the target's time says, on either clock: it was noted by the collection before `loaded`, or by a later one.
        oldest = group["oldest_wait_s"]
        assert oldest is None or 0 <= oldest <= s["t_s"] - mark(inside.run, "load") + 0.1


def test_heap_profiles(inside, phases):
    profiles = sorted(inside.dir.glob("heap-*.pb.gz"), key=lambda p: int(p.name.split("-")[1]))
    assert inside.run["runtime"]["heap_profile"] == "kept"
    # At its first mark so little has been allocated that it is a matter of chance whether there is a sample.
    assert [p.name.split("-", 2)[2] for p in profiles if "-load." not in p.name] == ["loaded.pb.gz", "dropped.pb.gz", "end.pb.gz"]
    assert all(p.read_bytes()[:2] == b"\x1f\x8b" for p in profiles)


@pytest.mark.parametrize("release", ["1.16", "1.23"])
def test_a_heap_profile_that_begins_late(memtide, scenario, releases, tmp_path, release):
    """Nothing has been sampled at the first mark: that says nothing of the next."""
    run = memtide("run", scenario(command=[built(releases, tmp_path, release), "late"], run="for: 5s")).run()
    names = sorted(p.name for p in newest_campaign(memtide.results).run_dir().glob("heap-*.pb.gz"))
    assert run["runtime"]["heap_profile"] == "kept"
    # By chance the runtime's own start has left a sample.
    assert [n.split("-", 2)[2] for n in names if "-load." not in n] == ["loaded.pb.gz", "dropped.pb.gz", "end.pb.gz"]


# ---- what cannot be read


def test_a_program_that_is_not_go(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), "20", "1500", "drop"], run="timeout: 20s")
    run = memtide("run", path).run()
    assert run["outcome"] == "ok"
    assert run["runtime"]["read"] is False and "alloc" in run["runtime"]["why"] and "Go" in run["runtime"]["why"]
    assert run["missing"]["goroutines_peak"] == f"the Go runtime could not be read: {run['runtime']['why']}"
    assert run["missing"]["native_settled_bytes"] == f"the Go runtime could not be read: {run['runtime']['why']}"
    folder = newest_campaign(memtide.results).run_dir()
    assert not list(folder.glob("go.tsv*")) and not list(folder.glob("split*")) and not (folder / "goroutines.json").exists()
    assert run["damage"] is None


def built(releases, tmp_path, release, *ldflags, source="phases"):
    """The stimulus, built by a release's own go."""
    home = next(
        t["goroot"] for t in json.loads(subprocess.run(
            [ROOT / "build/memtide", "go", "list", "--json"], capture_output=True, text=True, check=True).stdout)
        if t.get("goroot") and t["version"].startswith(release)
    )
    out = tmp_path / f"{source}-{release}"
    subprocess.run(
        [f"{home}/bin/go", "build", *ldflags, "-o", out, "."], cwd=GO_STIMULI / source, check=True,
        env={**os.environ, "GOENV": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "", "GO111MODULE": "on"},
    )
    return out


def test_a_program_that_may_not_be_read(memtide, stimulus, needs_root):
    """Its file can be executed, and not be read: so can its memory. All the rest is there, and the reason."""
    if not shutil.which("setpriv"):
        pytest.skip("prerequisite: setpriv (util-linux)")
    with tempfile.TemporaryDirectory(prefix="memtide-rights-") as work:
        folder = pathlib.Path(work)
        folder.chmod(0o777)
        shutil.copy(memtide.binary, folder / "memtide")
        shutil.copy(stimulus("alloc"), folder / "alloc")
        (folder / "alloc").chmod(0o711)
        done = subprocess.run(
            [*AS_NOBODY, "./memtide", "record", "--out", folder / "results", "--no-plot", "--", "./alloc", "20", "1000", "hold"],
            capture_output=True, text=True, timeout=60, cwd=work, env={"PATH": os.environ["PATH"], "HOME": work},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        run = json.loads(next(folder.glob("results/*/default/1/run.json")).read_text())
        rss = [r["rss_bytes"] for r in table(next(folder.glob("results/*/default/1/samples.tsv.zst")))]
    assert max(r for r in rss if r) > 20 * MB and run["outcome"] == "ok"
    runtime = run["runtime"]
    assert not runtime["read"] and runtime["forbidden"] and runtime["why"].startswith("it has made itself unreadable"), runtime
    assert "of 1 of 1 runs the Go runtime could not be read" in done.stderr and "unreadable" in done.stderr
    assert "memtide doctor" in done.stderr


@pytest.mark.parametrize("release", ["1.16", "1.23"])
def test_a_stripped_program(memtide, scenario, releases, tmp_path, release):
    """-s -w: nothing tells where the runtime has its counters. What the program tells of itself stands for it."""
    program = built(releases, tmp_path, release, "-ldflags=-s -w")
    run = memtide("run", scenario(command=[program], run="for: 4s")).run()
    assert run["outcome"] == "ok"
    assert run["runtime"]["read"] is False and "symbols" in run["runtime"]["why"]
    assert run["metrics"]["goroutines_settled"] == 1001 and "goroutines_peak" in run["missing"]


@pytest.mark.parametrize("release", ["1.16", "1.23"])
def test_a_program_without_debug_information(memtide, scenario, releases, tmp_path, release):
    """-w: the release's offsets are learnt from another program before the run begins, and its first look is as early as of any."""
    program = built(releases, tmp_path, release, "-ldflags=-w")
    run = memtide("run", scenario(command=[program], run="for: 4s, clock: virtual"), timeout=300).run()
    assert run["runtime"]["read"] is True and run["runtime"]["by"] == "symbols"
    assert run["metrics"]["goroutines_settled"] == 1001 and run["metrics"]["goroutines_peak"] == 1001
    assert run["clock"]["kind"] == "virtual" and run["clock"]["ended"] is None
    check_first_look(run, table(newest_campaign(memtide.results).run_dir() / "go.tsv.zst"))


def test_nothing_is_built_while_a_run_lives(memtide, scenario, releases, tmp_path, monkeypatch):
    """A program without debug information that takes the shell's place: for its offsets the run, and all it prints, would have to wait."""
    program = built(releases, tmp_path, "1.23", "-ldflags=-w")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    run = memtide("run", scenario(command=["/bin/sh", "-c", f"sleep 0.2; exec {program}"], run="for: 3s"), timeout=300).run()
    assert run["outcome"] == "ok" and run["runtime"]["read"] is False
    assert "is not built while a run lives" in run["runtime"]["why"]
    assert not (tmp_path / "cache/memtide/offsets").exists()


def test_a_split_that_fails_says_why(build, releases, memtide, scenario, tmp_path):
    """The length of the runtime's list of spans is overwritten in the midst of the run: nothing is made of it, and the record says why."""
    program = built(releases, tmp_path, "1.23")

    def damage():
        wait_until(lambda: subprocess.run(["pgrep", "-f", f"^{program}"], capture_output=True).returncode == 0)
        pid = int(subprocess.run(["pgrep", "-f", f"^{program}"], capture_output=True, text=True).stdout.split()[0])
        wait_until(lambda: looked_at(tmp_path / "results", "loaded"))
        where = json.loads(subprocess.run([build / "probe/gostacks", "where", str(pid)], capture_output=True, text=True, check=True).stdout)
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as f:
            f.seek(where["allspans"] + 8)
            f.write(struct.pack("<Q", 1 << 40))

    damager = threading.Thread(target=damage)
    damager.start()
    run = memtide("run", scenario(command=[program], run="for: 10s"), timeout=300).run()
    damager.join()
    assert run["outcome"] == "ok" and run["runtime"]["read"] is True
    assert "1099511627776 of them: more than memtide reads" in run["runtime"]["split_why"]
    why = f"no split of RSS was taken in the last tenth of the run: {run['runtime']['split_why']}"
    assert run["missing"]["native_settled_bytes"] == why and run["metrics"]["native_peak_bytes"] > 30 * MB


@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_another_program_takes_the_place(memtide, scenario, releases, tmp_path, clock):
    """sh, and a second later the Go program in the same process."""
    program = built(releases, tmp_path, "1.23")
    path = scenario(command=["/bin/sh", "-c", f"sleep 1; exec {program}"], run=f"for: 6s, clock: {clock}")
    run = memtide("run", path).run()
    assert run["runtime"]["read"] is True and run["runtime"]["why"] is None
    rows = table(newest_campaign(memtide.results).run_dir() / "go.tsv.zst")
    assert rows[0]["t_s"] >= 1 and rows[-1]["goroutines"] == 1001
    assert run["metrics"]["goroutines_settled"] == 1001


def test_one_go_program_after_the_other(memtide, scenario, releases, tmp_path):
    """Each with its own layout: nothing of one is read by that of the other, and the time between is a gap."""
    first, second = built(releases, tmp_path, "1.16", source="again"), built(releases, tmp_path, "1.23")
    path = scenario(command=[first, second], run="for: 6s")
    run = memtide("run", path).run()
    rows = table(newest_campaign(memtide.results).run_dir() / "go.tsv.zst")
    assert run["runtime"]["version"].startswith("go1.23")
    gaps = [i for i, r in enumerate(rows) if r["goroutines"] is None]
    assert gaps, "no gap between the two"
    before, after = rows[: gaps[0]], rows[gaps[-1] + 1 :]
    assert before[-1]["goroutines"] == 8 and max(r["goroutines"] for r in before) == 8, "seven that wait, and main"
    assert after[-1]["goroutines"] == 1001


# ---- ends


def looked_at(results, mark):
    """Whether the one run that goes on has looked inside at that mark, and written it down."""
    for path in results.glob("*/default/1/goroutines.json"):
        return mark in [s["at"] for s in json.loads(path.read_text())["snapshots"]]
    return False


def test_a_killed_target(memtide, scenario, releases, tmp_path):
    program = built(releases, tmp_path, "1.23")
    run = memtide("run", scenario(command=["/bin/sh", "-c", f"(sleep 3; kill -9 $$) & exec {program}"], run="for: 20s")).run()
    assert run["outcome"] == "signal" and run["damage"] is None
    folder = newest_campaign(memtide.results).run_dir()
    rows = table(folder / "go.tsv.zst")
    assert run["runtime"]["read"] and rows[-1]["goroutines"] is None and 2.9 < rows[-1]["t_s"] <= run["target_s"]
    assert rows[-2]["goroutines"] == 1001
    assert [s["at"] for s in json.loads((folder / "goroutines.json").read_text())["snapshots"]] == ["load", "loaded"]
    assert run["metrics"]["goroutines_peak"] == 1001 and "goroutines_settled" in run["missing"]


def test_a_killed_memtide_leaves_what_it_had(build, scenario, releases, tmp_path):
    program = built(releases, tmp_path, "1.23")
    path = scenario(command=[program], run="for: 60s")
    process = subprocess.Popen(
        [build / "memtide", "run", path, "--out", tmp_path / "results", "--no-plot"], stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, "MEMTIDE_HOME": str(ROOT)},
    )
    wait_until(lambda: looked_at(tmp_path / "results", "loaded"))
    time.sleep(1.5)
    process.kill()
    process.wait()
    folder = next(tmp_path.glob("results/*/default/1"))
    assert not (folder / "run.json").exists()
    go, splits = table(folder / "go.tsv.zst"), table(folder / "split.tsv.zst")
    assert go[-1]["t_s"] > 2 and go[-1]["goroutines"] == 1001
    assert splits[-1]["t_s"] > 1 and max(r["rss_bytes"] for r in splits) > 90 * MB
    assert json.loads((folder / "goroutines.json").read_text())["snapshots"]
    # What was left of the run's processes and its group goes with the next start.
    subprocess.run([build / "memtide", "doctor", "--clean"], capture_output=True, env={**os.environ, "MEMTIDE_HOME": str(ROOT)})


# ---- records from before


def test_a_record_from_before_is_read(memtide, recorded, tmp_path):
    """No such files, no such keys: nothing is damaged, and every command that reads it works."""
    copy = tmp_path / "before" / recorded.path.name
    shutil.copytree(recorded.path, copy)
    for path in copy.glob("*/*/run.json"):
        run = json.loads(path.read_text())
        del run["runtime"]
        for where in ("metrics", "missing"):
            for name in [n for n in run[where] if n.startswith(("objects", "native", "goroutines_", "heap_", "threads_made"))]:
                del run[where][name]
        path.write_text(json.dumps(run))
    for command in (["show"], ["show", "--json"], ["export", "--format", "json"], ["export", "--format", "csv"], ["plot"]):
        done = memtide(*command[:1], copy, *command[1:])
        assert done.code == 0, f"{command}: {done.err}"
        assert "damage" not in done.err and "go.tsv" not in done.err + done.out
