# SPDX-License-Identifier: Apache-2.0
"""What can be wrong with what memtide is given: one clear sentence, the right exit code, and nothing lost."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time

import pytest

from conftest import AS_NOBODY, Campaign, newest_campaign

GNUPLOT = pytest.mark.skipif(not shutil.which("gnuplot"), reason="prerequisite: gnuplot-nox")


def clear(done, code, *words):
    """The exit code, nothing on standard output, and one sentence that has the words: no stack of errors, no internals."""
    assert done.code == code, (done.code, done.out, done.err)
    assert done.out == ""
    lines = [line for line in done.err.splitlines() if re.match(r"(\S*/)?memtide\b.*: ", line)]
    assert len(lines) == 1, done.err
    for word in words:
        assert word in done.err, (word, done.err)


# ---- a scenario (each kind of mistake once; harness/tests/unit/test_scenario has them all)

GOOD = {"name": "test", "title": "What?", "program": "allocate", "axes": "{go: latest}", "limit": "64MB", "run": "{for: 1s}"}


def scenario_text(**changed):
    values = {**GOOD, **changed}
    return "".join(f"{key}: {value}\n" for key, value in values.items() if value is not None)


@pytest.mark.parametrize(
    "text, place, words",
    [
        (scenario_text(axes="{go: latest"), r"\d+:\d+", []),
        (scenario_text(frobnicate="3"), "7:1", ["frobnicate"]),
        (scenario_text(limt="64MB", limit=None), "6:1", ["limt", "limit"]),
        (scenario_text(axes="latest"), "4:7", ["axes"]),
        (scenario_text(limit="64Mx"), "5:8", ["64Mx", "64MB"]),
        (scenario_text(limit="-5"), "5:8", ["-5"]),
        (scenario_text(limit="0"), "5:8", ["0", "more than zero"]),
        (scenario_text(limit="1e3"), "5:8", ["1e3"]),
        (scenario_text(run="{for: 1s, repeat: -1}"), "6:24", ["-1"]),
        (scenario_text(run="{for: 0s}"), "6:12", ["0s"]),
        (scenario_text(axes="{go: []}"), r"4:\d+", ["go"]),
        (scenario_text(axes="{env: [A=1], env: [A=2]}"), r"4:\d+", ["env"]),
        (scenario_text(program="nowhere"), "3:10", ["nowhere", "goprogs/"]),
        (scenario_text(program="{dir: ./nowhere}"), r"3:\d+", ["nowhere"]),
        (scenario_text(title=None), r"\d+:\d+", ["title"]),
        (scenario_text(axes="{go: 1.10}"), "4:12", ["1.10", "1.11"]),
    ],
    ids=["yaml", "unknown-key", "near-key", "type", "unit", "negative", "zero", "exponent", "repeat", "for", "empty-axis",
         "axis-twice", "program", "program-dir", "title", "go"],
)
def test_scenario_is_told_with_file_line_and_column(memtide, tmp_path, text, place, words):
    path = tmp_path / "test.yaml"
    path.write_text(text)
    done = memtide("run", path)
    clear(done, 2, *words)
    assert re.search(rf"{re.escape(str(path))}:{place}: ", done.err), done.err
    assert not memtide.results.exists()


def test_unknown_scenario_suggests_the_nearest(memtide):
    clear(memtide("run", "free-os-memry"), 2, "free-os-memry", "did you mean 'free-os-memory'?")
    clear(memtide("run", "zzzzzzzz"), 2, "zzzzzzzz", "memtide list")
    clear(memtide("list", "alocate"), 2, "did you mean 'allocate'?")
    clear(memtide("run", "nowhere/x.yaml"), 2, "nowhere/x.yaml")


def test_a_command_that_is_not_there(memtide, scenario):
    done = memtide("run", scenario(command=["/nowhere/program"]))
    clear(done, 2, "/nowhere/program")
    assert re.search(r"test\.yaml:\d+:\d+: ", done.err)


# ---- options


@pytest.mark.parametrize(
    "options, words",
    [
        (["--go", "1.10"], ["1.10", "1.11"]),
        (["--go", "1.16..1.12"], ["1.16..1.12", "1.12..1.16"]),
        (["--go", "banana"], ["banana", "latest"]),
        (["--go", "1.999"], ["1.999"]),
        (["--go", "/nowhere"], ["/nowhere"]),
        (["--go", ""], ["--go"]),
        (["--set", "godebug"], ["AXIS=VALUE"]),
        (["--set", "colour=red"], ["colour", "godebug"]),
        (["--set", "godebug=default,default"], ["twice"]),
        (["--limit", "64Mx"], ["--limit", "64Mx"]),
        (["--limit", "0"], ["--limit", "more than zero"]),
        (["--limit", "-1"], ["--limit", "-1"]),
        (["--limit", "1e3"], ["--limit", "1e3"]),
        (["--for", "10"], ["--for", "10min"]),
        (["--for", "0s"], ["--for", "more than zero"]),
        (["--for", "-1s"], ["--for", "-1s"]),
        (["--rate", "0"], ["--rate", "20 to 20000"]),
        (["--rate", "20001"], ["--rate", "20 to 20000"]),
        (["--rate", "1e3"], ["--rate", "1e3"]),
        (["--jobs", "0"], ["--jobs", "1 to"]),
        (["--jobs", "many"], ["--jobs", "many"]),
        (["--repeat", "0"], ["--repeat", "1 to 1000"]),
        (["--repeat", "-1"], ["--repeat", "-1"]),
        (["--repeat", "2.5"], ["--repeat", "2.5"]),
        (["--clock", "fast"], ["--clock fast", "write real, virtual or virtual!"]),
        (["--clock", ""], ["--clock", "write real, virtual or virtual!"]),
        (["--out", ""], ["--out"]),
        (["--frobnicate"], ["--frobnicate", "--help"]),
    ],
    ids=lambda v: "=".join(v) if isinstance(v, list) and v and v[0].startswith("--") else "",
)
def test_option(memtide, tmp_path, options, words):
    clear(memtide("run", "free-os-memory", *options), 2, *words)
    assert not memtide.results.exists() and list(tmp_path.iterdir()) == []


def test_set_of_an_axis_that_the_program_cannot_have(memtide, scenario, stimulus):
    clear(memtide("run", scenario(command=[stimulus("misbehave"), "exit", 0]), "--go", "1.12"), 2, "go")


def test_a_folder_that_may_not_be_read(build):
    with tempfile.TemporaryDirectory() as top:
        os.chmod(top, 0o755)
        folder = os.path.join(top, "campaign")
        os.mkdir(folder, 0o700)
        done = subprocess.run([*AS_NOBODY, build / "memtide", "show", folder], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and f"the folder {folder} cannot be read: Permission denied" in done.stderr


def test_command_line(memtide):
    clear(memtide("run"), 2, "name a scenario", "memtide list")
    clear(memtide("rnu"), 2, "rnu", "did you mean 'run'?")
    clear(memtide("frobnicate"), 2, "frobnicate", "--help")
    clear(memtide("help", "rnu"), 2, "rnu", "did you mean 'run'?")
    clear(memtide("--frobnicate"), 2, "--frobnicate", "--help")
    clear(memtide("go"), 2, "list or fetch")
    clear(memtide("go", "lst"), 2, "did you mean 'list'?")
    clear(memtide("go", "fetch"), 2, "which releases")
    clear(memtide("go", "fetch", "banana"), 2, "banana")
    clear(memtide("doctor", "now"), 2, "now")
    clear(memtide("export"), 2, "--format csv")
    clear(memtide("export", "--format", "xml"), 2, "xml", "csv", "json")


@pytest.mark.parametrize("command", [["show"], ["plot"], ["export", "--format", "csv"]], ids=lambda c: c[0])
def test_folder_that_is_no_campaign(memtide, recorded, tmp_path, command):
    (tmp_path / "empty").mkdir()
    clear(memtide(*command, cwd=tmp_path), 2, "no campaign yet", "memtide run")
    clear(memtide(*command, tmp_path / "nowhere"), 2, "nowhere")
    clear(memtide(*command, tmp_path / "empty"), 2, "campaign.json")
    clear(memtide(*command, recorded.path.parent), 2, recorded.path.name)
    clear(memtide(*command, recorded.run_dir(recorded.info["cells"][0]["id"])), 2, str(recorded.path))


# ---- the machine


def test_results_folder_below_a_file(memtide, scenario, stimulus, tmp_path):
    (tmp_path / "file").write_text("")
    done = memtide("run", scenario(command=[stimulus("misbehave"), "exit", 0]), "--out", tmp_path / "file/results")
    clear(done, 125, "file/results", "Not a directory", "--out DIR")


@pytest.fixture
def as_nobody(memtide, stimulus, needs_root):
    """memtide as a user without rights, from a folder of his own: he cannot always get at the checkout."""
    if not shutil.which("setpriv"):
        pytest.skip("prerequisite: setpriv (util-linux)")
    with tempfile.TemporaryDirectory(prefix="memtide-nobody-") as work:
        shutil.copy(memtide.binary, work)
        shutil.copy(stimulus("alloc"), work)
        with open(f"{work}/small.yaml", "w", encoding="utf-8") as f:
            f.write("name: small\ntitle: What?\nprogram: {command: [./alloc, 10, 100]}\nlimit: 64MB\nrun: {timeout: 20s}\n")
        os.mkdir(f"{work}/locked", 0o555)
        subprocess.run(["chown", "-R", "65534:65534", work], check=True)

        def call(*args):
            done = subprocess.run(
                [*AS_NOBODY, f"{work}/memtide", *args], capture_output=True, text=True, timeout=60, cwd=work,
                env={**os.environ, "HOME": work, "MEMTIDE_HOME": work}, stdin=subprocess.DEVNULL,
            )
            done.code, done.out, done.err = done.returncode, done.stdout, done.stderr
            return done

        call.work = work
        yield call


def test_results_folder_without_the_right_to_write(as_nobody):
    for folder in ("locked/results", "locked"):
        done = as_nobody("run", "./small.yaml", "--no-plot", "--limit", "none", "--out", folder)
        clear(done, 125, "Permission denied", "--out DIR")


def test_no_right_to_make_groups(as_nobody):
    done = as_nobody("run", "./small.yaml", "--no-plot")
    clear(done, 125, "--limit none")
    without = as_nobody("run", "./small.yaml", "--no-plot", "--limit", "none")
    assert without.code == 0, without.err
    assert "without cgroups" in without.err
    run = newest_campaign(f"{as_nobody.work}/results").runs()[0]
    assert run["outcome"] == "ok" and run["cgroup"] == {"version": 0, "limit_bytes": None}
    assert run["metrics"]["peak_rss_bytes"] >= 10 << 20
    assert "memcg_peak_bytes" not in run["metrics"] and run["missing"]["memcg_peak_bytes"]


@contextlib.contextmanager
def small_disk(path, free_kb):
    """A tmpfs of 5 MB that is full but for free_kb."""
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", path], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"prerequisite: the right to mount a tmpfs: {made.stderr.strip()}")
    try:
        (path / "ballast").write_bytes(b"x" * ((5120 - free_kb) << 10))
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


# Another resident size at every look, from 4 kB to 16 MB; as often as fills the disk on a busy machine too.
BUSY = """import mmap, random, time
end, n = time.time() + 4, 0
while time.time() < end or n < 600:
    n += 1
    m = mmap.mmap(-1, random.randrange(1, 4096) * 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for i in range(0, len(m), 4096):
        m[i] = 1
"""


@pytest.mark.parametrize("fills", ["samples", "stdout"])
def test_disk_full_while_recording(memtide, scenario, stimulus, tmp_path, needs_root, fills):
    command = ["/usr/bin/python3", "-c", BUSY] if fills == "samples" else [stimulus("misbehave"), "flood", 1]
    path = scenario(command=command, run="timeout: 60s")
    with small_disk(tmp_path / "disk", 100) as disk:
        done = memtide("run", path, "--rate", 5000, "--out", disk)
        assert done.code == 125, (done.out, done.err)
        assert "No space left on device" in done.err
        campaign = newest_campaign(disk)
        run = campaign.runs()[0]
        assert run["outcome"] == "harness-error" and "No space left on device" in run["why"]
        assert not (campaign.run_dir() / "reserve").exists()
        # What was recorded until then is there, and is told.
        text = subprocess.run(["zstdcat", campaign.run_dir() / "samples.tsv.zst"], capture_output=True, text=True).stdout
        rows = [line for line in text.splitlines() if not line.startswith("#")]
        assert len(rows) > (100 if fills == "samples" else 0)
        assert run["metrics"]["peak_rss_bytes"] > 0
        shown = memtide("show", campaign.path)
        assert shown.code in (0, 1) and "harness-error" in shown.out
        (disk / "ballast").unlink()
        again = memtide("run", path, "--resume", "--out", disk)
        assert again.code == 0, again.err
        assert newest_campaign(disk).runs()[0]["outcome"] == "ok"


def path_without(tmp_path, name):
    """A folder to be PATH: everything that is in the real one, but for one program."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for each in os.environ["PATH"].split(":"):
        with contextlib.suppress(OSError):
            for entry in os.scandir(each):
                if not entry.name.startswith(name) and not os.path.lexists(folder / entry.name):
                    (folder / entry.name).symlink_to(entry.path)
    return str(folder)


def test_gnuplot_missing(memtide, scenario, stimulus, tmp_path):
    path = path_without(tmp_path, "gnuplot")
    done = memtide("run", scenario(command=[stimulus("alloc"), 10, 200]), env={"PATH": path}, plot=True)
    assert done.code == 0, done.err
    assert done.run()["outcome"] == "ok" and re.search(r"^ok ", done.out, re.M)
    lines = [line for line in done.err.splitlines() if "gnuplot" in line]
    assert any("gnuplot is not installed" in line for line in lines), done.err
    assert f"memtide plot {done.campaign.path}" in done.err
    assert not list(done.campaign.path.glob("plots/*.png"))
    clear(memtide("plot", done.campaign.path, env={"PATH": path}), 125, "gnuplot is not installed", "apt-get install gnuplot-nox")


@GNUPLOT
def test_plot_later_where_gnuplot_was_missing(memtide, scenario, stimulus, tmp_path):
    path = path_without(tmp_path, "gnuplot")
    done = memtide("run", scenario(command=[stimulus("alloc"), 10, 200]), env={"PATH": path}, plot=True)
    later = memtide("plot", done.campaign.path)
    assert later.code == 0 and list(done.campaign.path.glob("plots/*.png"))


def test_no_network_and_a_toolchain_missing(memtide, toolchains, scenario, tmp_path):
    """A release that is nowhere, and a tree by its path: the one cell is toolchain-missing, the other one runs."""
    here = json.loads(memtide("go", "list", "latest", "--json").out)[0]["goroot"]
    (tmp_path / "modcache").mkdir()
    path = scenario(program="allocate", run="for: 1s", extra=f'args: [-sizes, "10MB"]\naxes: {{go: [1.12.3, "{here}"]}}')
    done = memtide("run", path, env={"GOPROXY": "off", "GOMODCACHE": str(tmp_path / "modcache"), "GOFLAGS": "-modcacherw"})
    assert done.code == 3, (done.out, done.err)
    outcomes = {r["cell"]["go"]: r for r in done.runs()}
    assert outcomes["1.12.3"]["outcome"] == "toolchain-missing"
    assert "1.12.3" in outcomes["1.12.3"]["why"] and "GOPROXY=off" in outcomes["1.12.3"]["why"]
    assert outcomes["1.12.3"]["metrics"] == {} and outcomes["1.12.3"]["exit_code"] is None
    assert outcomes[here]["outcome"] == "ok" and outcomes[here]["metrics"]["peak_rss_bytes"] > 10 << 20
    assert "1.12.3" in done.err and "GOPROXY=off" in done.err


def test_two_memtides_at_once(memtide, scenario, stimulus):
    """Within one second: a folder each, groups of their own, and neither sweeps the other's away."""
    path = scenario(command=[stimulus("alloc"), 10, 500])
    command = [memtide.binary, "run", path, "--no-plot", "--out", memtide.results]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [p.communicate(timeout=60) for p in both]
    assert [p.returncode for p in both] == [0, 0], ended
    folders = sorted(memtide.results.iterdir())
    assert len(folders) == 2
    for folder in folders:
        (run,) = Campaign(folder).runs()
        assert run["outcome"] == "ok" and run["metrics"]["peak_rss_bytes"] >= 10 << 20


# ---- programs that behave badly


def test_limit_below_what_the_program_needs(memtide, scenario, stimulus):
    done = memtide("run", scenario(command=[stimulus("alloc"), 100], limit="32MB"))
    run = done.run()
    assert run["outcome"] == "oom-cgroup" and run["signal"] == 9 and run["oom_kills"] >= 1
    assert "32" in run["why"]
    assert done.code == 0 and "oom" not in done.err, "an outcome, not an error"


def test_flood(memtide, scenario, stimulus):
    """200 MB on each stream: the head, the tail and how much is missing between; memtide's own memory does not grow with it."""
    path = scenario(command=[stimulus("misbehave"), "flood", 200], run="timeout: 60s")
    command = [memtide.binary, "run", path, "--no-plot", "--out", memtide.results]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak_kb = 0
    while process.poll() is None:
        with contextlib.suppress(OSError, AttributeError):
            with open(f"/proc/{process.pid}/status", encoding="ascii") as f:
                peak_kb = max(peak_kb, int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)))
        time.sleep(0.02)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    assert 0 < peak_kb < 64 << 10
    campaign = newest_campaign(memtide.results)
    (run,) = campaign.runs()
    assert run["outcome"] == "ok" and run["exit_code"] == 0
    for name in ("stdout", "stderr"):
        text = (campaign.run_dir() / name).read_bytes()
        assert (1 << 20) < len(text) < 1.1 * (1 << 20)
        (left_out,) = re.findall(rb"^\[memtide: (\d+) bytes left out here\]$", text, re.M)
        line = len(b"\n[memtide:  bytes left out here]\n") + len(left_out)
        assert int(left_out) + len(text) - line == 200 << 20


def test_closes_the_mark_descriptor(memtide, scenario, stimulus):
    done = memtide("run", scenario(command=[stimulus("misbehave"), "close-marks"]))
    run = done.run()
    assert done.code == 0 and run["outcome"] == "ok"
    assert [m["name"] for m in run["marks"]] == ["before"]
    assert run["target_s"] >= 0.3, "observed to its end, not to the closing"


def test_exits_at_once(memtide, scenario, stimulus):
    done = memtide("run", scenario(command=[stimulus("misbehave"), "exit", 0]))
    run = done.run()
    assert done.code == 0 and run["outcome"] == "ok" and run["ended_by"] == "program"
    assert run["metrics"].get("peak_rss_bytes", 1) > 0
    for metric in ("first_fall_s", "release_s", "released_share", "baseline_rss_bytes"):
        assert metric not in run["metrics"] and run["missing"][metric]


def test_exits_at_once_with_a_code(memtide, scenario, stimulus):
    run = memtide("run", scenario(command=[stimulus("misbehave"), "exit", 3])).run()
    assert (run["outcome"], run["exit_code"], run["signal"]) == ("exit", 3, None)


def test_never_marks(memtide, scenario, stimulus):
    run = memtide("run", scenario(command=[stimulus("misbehave"), "sleep"], run="for: 1s")).run()
    assert run["outcome"] == "ok" and run["ended_by"] == "supervisor" and run["marks"] == []
    for metric in ("first_fall_s", "release_s", "released_share", "baseline_rss_bytes"):
        assert metric not in run["metrics"]
        assert "mark" in run["missing"][metric] or "baseline" in run["missing"][metric]
    assert run["metrics"]["peak_rss_bytes"] > 0 and run["metrics"]["settled_rss_bytes"] > 0


def test_five_thousand_marks(memtide, scenario, stimulus):
    """In one go. Those that are kept are the first ones, without a hole; how many are not is said."""
    done = memtide("run", scenario(command=[stimulus("misbehave"), "marks", 5000]))
    run = done.run()
    assert done.code == 0 and run["outcome"] == "ok"
    lines = (done.campaign.run_dir() / "marks.tsv").read_text().splitlines()
    names = [line.split("\t")[1] for line in lines if not line.startswith("#")]
    assert [m["name"] for m in run["marks"]] == names
    assert len(names) >= 1000
    assert names == [f"mark-{i}" for i in range(len(names))], "a hole in the middle"
    told = f"{5000 - len(names)} marks" in (run["damage"] or "")
    assert len(names) == 5000 or told, f"{len(names)} of 5000 marks, and no word about it"


@pytest.mark.parametrize("last", [40, 400])
def test_marks_just_before_the_end(memtide, scenario, last):
    """What is in the pipe when the program exits is read to its end."""
    marks = r'i=0; while [ $i -lt %d ]; do echo "mark-$i"; i=$((i + 1)); done >&$MEMTIDE_MARK_FD' % last
    run = memtide("run", scenario(command=["/bin/sh", "-c", marks]), "--rate", "20").run()
    assert [m["name"] for m in run["marks"]] == [f"mark-{i}" for i in range(last)]


def test_values_that_are_none(memtide, scenario):
    """Whole numbers that are not negative are kept, the last one counts; what is none says nothing, and is no mark either."""
    say = r"""for v in goroutines=5 heap_inuse=-3 stacks= =7 operations=1e3 gc_count=12345678901234567890 x=1=2 Goroutines=8 goroutines=7 \
        a-name-longer-than-any-that-has-a-right-to-be=4 plain; do echo "$v"; done >&$MEMTIDE_MARK_FD; exec sleep 0.2"""
    done = memtide("run", scenario(command=["/bin/sh", "-c", say]))
    run = done.run()
    assert done.code == 0 and [m["name"] for m in run["marks"]] == ["plain"]
    assert [(v["name"], v["value"]) for v in run["values"]] == [("goroutines", 5), ("_oroutines", 8), ("goroutines", 7)]
    assert run["metrics"]["goroutines_settled"] == 7
    assert run["missing"]["stacks_settled_bytes"].startswith("the Go runtime could not be read: ")
    assert run["missing"]["stacks_settled_bytes"].endswith("; nor did the program tell stacks")
    rows = [line.split("\t") for line in (done.campaign.run_dir() / "values.tsv").read_text().splitlines()]
    assert rows[0] == ["# memtide-values/1"] and [r[1:] for r in rows[3:]] == [["goroutines", "5"], ["_oroutines", "8"], ["goroutines", "7"]]


def test_the_last_of_many_values(memtide, scenario):
    """run.json keeps the first 10 000, the file all; the one without a line end counts too."""
    say = r"""i=1; while [ $i -le 11 ]; do seq -f 'operations=%.0f' $((i * 1000)) $((i * 1000 + 999)) >&$MEMTIDE_MARK_FD; sleep 0.1; i=$((i + 1)); done
        echo phase=two >&$MEMTIDE_MARK_FD; printf operations=3 >&$MEMTIDE_MARK_FD"""
    done = memtide("run", scenario(command=["/bin/sh", "-c", say]))
    run = done.run()
    assert run["metrics"]["operations"] == 3 and len(run["values"]) == 10000
    assert len((done.campaign.run_dir() / "values.tsv").read_text().splitlines()) == 3 + 11001
    assert run["damage"] == "1 lines that the program wrote to MEMTIDE_MARK_FD are neither a mark nor a number"


# ---- folders

FIRST = "env=default"  # the first cell of the recorded campaign


def rewrite(path, **keys):
    content = json.loads(path.read_text())
    content.update(keys)
    path.write_text(json.dumps(content))


EXPORTS = [["export", "--format", "csv"], ["export", "--format", "json"]]


@pytest.mark.parametrize("command", [["show"], ["plot"], *EXPORTS], ids=" ".join)
def test_campaign_of_a_newer_format(memtide, copy_of_recorded, command):
    rewrite(copy_of_recorded.path / "campaign.json", format="memtide-campaign/2")
    clear(memtide(*command, copy_of_recorded.path), 125, "campaign.json", "memtide-campaign/2", "newer")


def test_a_run_of_a_newer_format_does_not_hide_the_others(memtide, copy_of_recorded):
    rewrite(copy_of_recorded.run_dir(FIRST) / "run.json", format="memtide-run/2")
    done = memtide("show", copy_of_recorded.path)
    assert done.code in (0, 1)
    assert "memtide-run/2" in done.err and "newer" in done.err
    assert "MODE=other" in done.out and "2 ok" in done.out


def test_a_newer_minor_version_is_read(memtide, copy_of_recorded):
    rewrite(copy_of_recorded.path / "campaign.json", colour="a key of a time to come")
    rewrite(copy_of_recorded.run_dir(FIRST) / "run.json", colour="a key of a time to come")
    done = memtide("show", copy_of_recorded.path)
    assert done.code == 0 and "colour" not in done.err and "format" not in done.err


def truncate(campaign, name="samples.tsv.zst"):
    path = campaign.run_dir(FIRST) / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    return path


@GNUPLOT
@pytest.mark.parametrize("name", ["samples.tsv.zst", "probes.tsv.zst"])
def test_truncated_series(memtide, copy_of_recorded, name):
    path = truncate(copy_of_recorded, name)
    drawn = memtide("plot", copy_of_recorded.path)
    assert drawn.code == 0, drawn.err
    assert "grid.png" in drawn.out
    assert name in drawn.err and str(path.parent) in drawn.err, drawn.err
    shown = memtide("show", copy_of_recorded.path)
    assert shown.code == 0 and "2 ok" in shown.out


@GNUPLOT
@pytest.mark.parametrize("content", [b"", b"not zstd at all", None], ids=["empty", "garbage", "gone"])
def test_series_that_cannot_be_read(memtide, copy_of_recorded, content):
    path = copy_of_recorded.run_dir(FIRST) / "samples.tsv.zst"
    path.unlink() if content is None else path.write_bytes(content)
    drawn = memtide("plot", copy_of_recorded.path)
    assert drawn.code == 0, drawn.err
    assert "samples.tsv.zst" in drawn.err


def test_files_that_are_no_json(memtide, copy_of_recorded):
    run = copy_of_recorded.run_dir(FIRST) / "run.json"
    run.write_text(run.read_text()[:200])
    done = memtide("show", copy_of_recorded.path)
    assert done.code == 0 and str(run) in done.err and "2 ok" in done.out
    (copy_of_recorded.path / "campaign.json").write_text("{")
    clear(memtide("show", copy_of_recorded.path), 125, "campaign.json")
