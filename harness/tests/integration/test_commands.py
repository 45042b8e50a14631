# SPDX-License-Identifier: Apache-2.0
"""Every command, as a user types it and as a program reads it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile

import pytest

from conftest import AS_NOBODY, ROOT

COMMANDS = ["run", "list", "doctor", "go", "show", "plot", "mark", "export", "corpus"]
BUNDLED = sorted(p.stem for p in (ROOT / "scenarios").glob("*.yaml"))


def without(*names, **more):
    """The environment less some variables. (The fixture memtide() only adds.)"""
    return {**{k: v for k, v in os.environ.items() if k not in names}, "MEMTIDE_HOME": str(ROOT), **more}


def on_a_terminal(command, cwd, env):
    """What the command prints to a pseudo terminal."""
    done = subprocess.run(
        ["script", "-qec", shlex.join(map(str, command)), "/dev/null"],
        capture_output=True, timeout=60, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
    )
    return done.stdout.decode()  # text=True would make \n of every \r


# ---- the command line itself


def test_version(memtide):
    done = memtide("--version")
    assert done.code == 0
    assert re.fullmatch(r"memtide \S+\n", done.out)


def test_help_names_every_command_and_the_exit_codes(memtide):
    done = memtide("--help")
    assert done.code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", done.out, re.M), command
    text = " ".join(done.out.split())
    for code in ["0 as expected", "1 an expectation failed", "2 usage or scenario error", "3 inconclusive", "125 the harness"]:
        assert code in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(memtide, command):
    done = memtide(command, "--help", *([] if command != "run" else ["--out", "unused"]))
    assert done.code == 0 and done.err == ""
    assert done.out.startswith(f"Usage: memtide {command} ")
    assert max(map(len, done.out.splitlines())) <= 80


def test_no_command_shows_the_help_as_a_usage_error(memtide):
    done = memtide()
    assert done.code == 2 and done.out == ""
    assert "Commands:" in done.err


# ---- list


def test_list_names_every_scenario_with_its_question(memtide):
    done = memtide("list")
    assert done.code == 0
    lines = done.out.splitlines()
    for name in BUNDLED:
        assert any(re.match(rf"  {name} +.*(\?|\.\.\.)$", line) for line in lines), name
    assert max(map(len, lines)) <= 80


SHELF = {
    "b-leak": ("leaks", "Does it leak?"), "a-leak": ("leaks", "Does it " + "really " * 12 + "leak?"),
    "pressed": ("under pressure", "Is it pressed?"), "idle": ("idle memory", "Is it idle?"), "own": (None, "Whose is it?"),
}


@pytest.fixture
def shelf(tmp_path):
    """A home with scenarios of some stories; returns its environment."""
    (tmp_path / "home/scenarios").mkdir(parents=True)
    for name, (story, title) in SHELF.items():
        text = f"name: {name}\ntitle: {title}\nprogram: {{command: [sleep, '0']}}\n" + (f"story: {story}\n" if story else "")
        (tmp_path / f"home/scenarios/{name}.yaml").write_text(text)
    (tmp_path / "home/goprogs").mkdir()
    return {"MEMTIDE_HOME": str(tmp_path / "home")}


def test_list_is_grouped_by_story(memtide, shelf):
    """In their order, whatever the alphabet's; without a story last; a line each."""
    done = memtide("list", env=shelf)
    assert done.code == 0 and max(map(len, done.out.splitlines())) <= 80
    assert done.out == (
        "Idle memory\n  idle      Is it idle?\n\n"
        f"Leaks\n  a-leak    {SHELF['a-leak'][1][:65]}...\n  b-leak    Does it leak?\n\n"
        "Under pressure\n  pressed   Is it pressed?\n\n"
        "Others\n  own       Whose is it?\n\n"
        "`memtide list SCENARIO` tells all about one, `memtide run SCENARIO` runs it.\n"
    )
    told = {row["name"]: row for row in json.loads(memtide("list", "--json", env=shelf).out)}
    assert {name: (row["story"], row["title"]) for name, row in told.items()} == SHELF


def test_list_of_one_tells_its_cells_and_what_it_shows(memtide, scenario):
    path = scenario(
        program="allocate",
        extra="story: settings\nexplain: >\n  First it rises. Then\n  it falls.\naxes: {go: 1.11..1.13, godebug: [default, madvdontneed=1]}\n"
        "expect:\n  - {that: peak_rss_bytes < 2 * peak_rss_bytes, versus: {godebug: default}, share: 0.5}\n",
    )
    done = memtide("list", path)
    assert done.code == 0 and max(len(line) for line in done.out.splitlines() if "/" not in line) <= 80
    lines = done.out.splitlines()
    assert lines[:4] == ["What does test do?", "", "First it rises. Then it falls.", ""]
    assert "  story        settings" in lines
    at = lines.index("  cells        6: 3 go (1.11, 1.12, 1.13) x 2 godebug (default, madvdontneed=1)")
    assert lines[at + 1] == "               of these 1 not applicable: go=1.11,godebug=madvdontneed=1"
    assert "  every cell, against godebug=default (in 50 % of the repeats)" in lines
    (one,) = json.loads(memtide("list", path, "--json").out)
    assert one["story"] == "settings" and one["explain"] == "First it rises. Then it falls." and one["takes_s"] is None
    assert one["expect"][0]["versus"] == {"godebug": "default"}
    assert [cell["id"] for cell in one["cells"] if not cell["applicable"]] == ["go=1.11,godebug=madvdontneed=1"]
    assert len(one["cells"]) == 6 and all(cell["why"] is None for cell in one["cells"] if cell["applicable"])


def test_cells_that_cannot_be_told_hide_nothing_else(memtide, scenario):
    path = scenario(program="allocate", extra="axes: {go: /opt/no-such-tree}")
    done = memtide("list", path)
    assert done.code == 0 and "cells        cannot be told here:" in done.out and "run  " in done.out
    (one,) = json.loads(memtide("list", path, "--json").out)
    assert one["cells"] is None


def test_list_of_one_tells_its_axes_limit_and_expectations(memtide):
    done = memtide("list", "free-os-memory")
    assert done.code == 0
    for word in ["1.11..latest", "madvdontneed=1", "1.00 GB", "released_share < 0.05", "because"]:
        assert word in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_list_json_has_name_title_and_axes_of_all(memtide):
    done = memtide("list", "--json")
    rows = json.loads(done.out)
    assert sorted(r["name"] for r in rows) == BUNDLED
    one = next(r for r in rows if r["name"] == "free-os-memory")
    assert one["axes"] == {"go": ["1.11..latest"], "godebug": ["default", "madvdontneed=1"]}
    assert one["limit_bytes"] == 1 << 30 and one["for_s"] == 60.0 and one["title"].endswith("?")


def test_list_tells_the_load_and_when_it_starts(memtide, scenario):
    path = scenario(program="allocate", extra='load: {args: [-client, "{port}"]}\nready: {port: true}')
    done = memtide("list", path)
    assert re.search(r"^  load +allocate -client \{port\}, once it listens on its port$", done.out, re.M), done.out
    assert "its load has ended" in " ".join(done.out.split()) and "on the virtual clock" in " ".join(done.out.split())
    (one,) = json.loads(memtide("list", path, "--json").out)
    assert one["load"] == {"args": ["-client", "{port}"], "command": None, "clock": "virtual"} and one["ready"] == {"port": True}


def test_list_json_of_one_says_null_for_what_is_not_there(memtide, scenario, stimulus):
    path = scenario("bare", command=[stimulus("misbehave"), "exit", 0], limit="none")
    done = memtide("list", path, "--json")
    rows = json.loads(done.out)
    one = rows[0] if isinstance(rows, list) else rows
    assert one["limit_bytes"] is None and one["for_s"] is None and one["source"] is None
    assert one["load"] is None and one["ready"] is None


# ---- run


def test_dry_run_prints_the_plan_and_makes_nothing(memtide, toolchains, tmp_path):
    done = memtide("run", "free-os-memory", "--go", "1.11,1.12,1.16", "--clock", "real", "--dry-run", cwd=tmp_path)
    assert done.code == 0
    assert not memtide.results.exists() and list(tmp_path.iterdir()) == []
    assert re.search(r"^  go=1\.12,godebug=madvdontneed=1 +go1\.12\.17$", done.out, re.M)
    assert re.search(r"^  go=1\.11,godebug=madvdontneed=1 +not-applicable: .*$", done.out, re.M)
    assert "does not know madvdontneed (1.12 and later do)" in " ".join(done.out.split())
    assert all(len(line) <= 80 for line in done.out.splitlines())
    assert "Cells: 6, of which 4 can be run; 3 repeats each: 12 runs" in done.out
    assert "nothing to fetch" in done.out
    assert re.search(r"^Memory: 900 MB a run, ", done.out, re.M)
    assert re.search(r"^Clock: real$", done.out, re.M)
    assert re.search(r"^Time: 60\.0 s a run, about ", done.out, re.M)


def test_dry_run_on_the_virtual_clock_takes_little_time(memtide, toolchains):
    """Two runs of 650 s: a few seconds, and not twenty minutes."""
    more = ["--go", "1.12", "--set", "godebug=default,madvdontneed=1", "--repeat", "1", "--for", "650s", "--dry-run"]
    done = memtide("run", "allocate", "--clock", "virtual", *more)
    assert done.code == 0, done.err
    assert re.search(r"^Clock: virtual: ", done.out, re.M) and "harness-error" not in done.out
    told = re.search(r"^Time: 10 min 50 s of the program's time a run, which takes about (\S+) s; about\s+(\S+) s in all", done.out, re.M)
    assert told and 0.6 < float(told.group(1)) < 5 and float(told.group(1)) <= float(told.group(2)) < 10
    strict = memtide("run", "allocate", "--clock", "virtual!", *more)
    assert re.search(r"^Clock: virtual: .*harness-error", strict.out, re.M)
    assert re.search(r"^Time: 10 min 50 s a run, ", memtide("run", "allocate", "--clock", "real", *more).out, re.M)


def test_the_clock_is_virtual_where_the_scenario_is_closed_in_itself(memtide, scenario, stimulus):
    """A bundled program is; a command or a load in real time is not. What the file says, and --clock, go before."""

    def told(path):
        (one,) = json.loads(memtide("list", path, "--json").out)
        return one["clock"], one["clock_strict"], one["load"] and one["load"]["clock"]

    own, real = "load: {args: [-client]}", "load: {args: [-client], clock: real}"
    command = [stimulus("misbehave"), "exit", 0]
    assert told(scenario(program="allocate")) == ("virtual", False, None)
    assert told(scenario(program="allocate", run="for: 1s, clock: real")) == ("real", False, None)
    assert told(scenario(program="allocate", run="for: 1s, clock: virtual!")) == ("virtual", True, None)
    assert told(scenario(program="allocate", extra=own)) == ("virtual", False, "virtual")
    assert told(scenario(program="allocate", extra=real)) == ("real", False, "real")
    assert told(scenario(command=command)) == ("real", False, None)
    assert told(scenario(command=command, run="timeout: 1s, clock: virtual")) == ("virtual", False, None)


def test_the_clock_of_the_command_line_goes_before_the_files(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("misbehave"), "exit", 0], run="timeout: 20s, clock: virtual")
    done = memtide("run", path, "--clock", "real")
    assert done.code == 0, done.err
    assert done.campaign.info["clock"] == "real" and done.campaign.info["options"]["clock"] == "real"
    assert done.run()["clock"]["kind"] == "real"
    assert "(real clock)" in " ".join(memtide("show", done.campaign.path).out.split())


def test_a_load_in_real_time_keeps_the_run_there(memtide, scenario):
    path = scenario(program="allocate", extra="load: {args: [-client], clock: real}")
    done = memtide("run", path, "--clock", "virtual")
    assert done.code == 2 and done.out == ""
    for words in ("--clock virtual", "in real time", "clock: real", str(path)):
        assert words in done.err
    assert not memtide.results.exists()


def test_resume_takes_the_campaigns_clock(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("misbehave"), "exit", 0], run="timeout: 20s, clock: virtual", extra="axes: {env: [A=1, A=2]}")
    done = memtide("run", path, "--clock", "real")
    shutil.rmtree(done.campaign.run_dir(done.campaign.info["cells"][0]["id"]))
    clash = memtide("run", path, "--resume", "--clock", "virtual")
    assert clash.code == 2 and "clock" in clash.err
    again = memtide("run", path, "--resume")
    assert again.code == 0, again.err
    assert "1 of 2 runs left" in again.err
    assert {r["clock"]["kind"] for r in again.runs()} == {"real"}


def test_resume_does_not_mix_two_clocks(memtide, scenario, stimulus):
    """A campaign of a memtide whose default was another one."""
    path = scenario(command=[stimulus("misbehave"), "exit", 0])
    done = memtide("run", path)
    info = {**done.campaign.info, "clock": "virtual"}
    (done.campaign.path / "campaign.json").write_text(json.dumps(info))
    again = memtide("run", path, "--resume")
    assert again.code == 2
    assert "virtual clock" in again.err and "new campaign" in again.err


def test_dry_run_names_what_would_be_fetched(memtide, tmp_path):
    """A release that nobody has: the first patch of 1.20 is not one that the tests fetch."""
    env = {"GOMODCACHE": str(tmp_path / "empty"), "GOPROXY": "off"}
    done = memtide("run", "free-os-memory", "--go", "1.20.2", "--dry-run", env=env)
    assert done.code == 0, done.err
    assert re.search(r"^To fetch .*: 1\.20\.2$", done.out, re.M)


def test_run_json_is_the_campaign(memtide, scenario, stimulus):
    done = memtide("run", scenario(command=[stimulus("alloc"), 10, 100]), "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert told["campaign"] == done.campaign.info
    assert told["runs"][0]["metrics"] == done.run()["metrics"]


def test_run_of_several_scenarios_makes_a_campaign_each(memtide, scenario, stimulus):
    one = scenario("one", command=[stimulus("misbehave"), "exit", 0])
    two = scenario("two", command=[stimulus("misbehave"), "exit", 0])
    done = memtide("run", one, two)
    assert done.code == 0
    assert sorted(p.name.split("-", 2)[2] for p in memtide.results.iterdir()) == ["one", "two"]


def test_set_adds_an_axis(memtide, scenario, stimulus):
    done = memtide("run", scenario(command=[stimulus("misbehave"), "exit", 0]), "--set", "env=A=1,A=2")
    assert done.code == 0
    assert sorted(r["env"]["A"] for r in done.runs()) == ["1", "2"]


def test_run_of_a_module_of_ones_own(memtide, toolchains, tmp_path):
    """program: {dir, package}, and go_line as an axis: the build's go.mod has that line, the user's own stays as it was."""
    module = tmp_path / "service"
    (module / "cmd/hello").mkdir(parents=True)
    (module / "go.mod").write_text("module example.com/service\n\ngo 1.12\n")
    (module / "greet.go").write_text('// Package service greets.\npackage service\n\nconst Text = "hello"\n')
    (module / "cmd/hello/main.go").write_text(
        'package main\n\nimport (\n\t"fmt"\n\t"os"\n\t"time"\n\n\t"example.com/service"\n)\n\n'
        'func main() {\n\tfmt.Println(service.Text, os.Args[1])\n\ttime.Sleep(200 * time.Millisecond)\n}\n'
    )
    (tmp_path / "own.yaml").write_text(
        "name: own\ntitle: Does it greet?\nprogram: {dir: service, package: ./cmd/hello}\nargs: [you]\n"
        'axes: {go: [latest], go_line: ["1.12", "1.21"]}\nrun: {timeout: 20s}\n'
    )
    done = memtide("run", tmp_path / "own.yaml")
    assert done.code == 0, done.err
    runs = done.runs()
    assert sorted(r["go"]["line"] for r in runs) == ["1.12", "1.21"]
    assert {r["outcome"] for r in runs} == {"ok"}
    assert len({r["program"]["sha256"] for r in runs}) == 2
    for cell in done.campaign.info["cells"]:
        assert (done.campaign.run_dir(cell["id"]) / "stdout").read_text() == "hello you\n"
    assert (module / "go.mod").read_text() == "module example.com/service\n\ngo 1.12\n"
    assert sorted(p.name for p in module.iterdir()) == ["cmd", "go.mod", "greet.go"]


# ---- show


def test_show_prints_the_table_within_80_columns(memtide, recorded):
    done = memtide("show", recorded.path, env={"COLUMNS": "200"})
    plain = subprocess.run(
        [memtide.binary, "show", recorded.path], capture_output=True, text=True, timeout=60, env=without("COLUMNS", "NO_COLOR")
    )
    assert done.code == 0 and plain.returncode == 0
    assert "What does small do?" in plain.stdout and "2 ok" in plain.stdout
    table = plain.stdout[: plain.stdout.index("Recorded in")]
    assert max(map(len, table.splitlines())) <= 80, table
    assert "\033" not in plain.stdout + plain.stderr


def test_show_finds_the_newest_campaign_by_itself(memtide, recorded):
    done = memtide("show", cwd=recorded.path.parents[1])
    assert done.code == 0 and recorded.path.name in done.out
    named = memtide("show", "--results", recorded.path.parent)
    assert named.code == 0 and recorded.path.name in named.out


def test_show_json_is_what_is_recorded(memtide, recorded):
    done = memtide("show", recorded.path, "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert told["campaign"] == recorded.info
    assert len(told["runs"]) == 4
    by_dir = {r["dir"]: r for r in told["runs"]}
    for cell in recorded.info["cells"]:
        for repeat in (1, 2):
            folder = recorded.run_dir(cell["id"], repeat)
            assert by_dir[str(folder)]["metrics"] == json.loads((folder / "run.json").read_text())["metrics"]


def test_colours_are_for_terminals_only(memtide, recorded, tmp_path):
    if not shutil.which("script"):
        pytest.skip("prerequisite: script (bsdutils)")
    command = [memtide.binary, "show", recorded.path]
    assert "\033[" in on_a_terminal(command, tmp_path, without("NO_COLOR", TERM="xterm-256color"))
    assert "\033" not in on_a_terminal(command, tmp_path, without(NO_COLOR="1", TERM="xterm-256color"))
    assert "\033" not in memtide("show", recorded.path, env={"TERM": "xterm-256color"}).out


def test_the_progress_line_is_for_terminals_only(memtide, scenario, stimulus, tmp_path):
    if not shutil.which("script"):
        pytest.skip("prerequisite: script (bsdutils)")
    path = scenario(command=[stimulus("alloc"), 10, 1500])
    piped = memtide("run", path)
    assert "\r" not in piped.err + piped.out and "\033" not in piped.err + piped.out
    command = [memtide.binary, "run", path, "--no-plot", "--out", tmp_path / "seen"]
    seen = on_a_terminal(command, tmp_path, without("NO_COLOR", TERM="xterm-256color")).replace("\r\n", "\n")
    assert re.search(r"\r\S*0 of 1 runs, 1 running, .* loaded", seen), seen


# ---- doctor


def test_doctor_says_a_state_and_a_finding_for_each_check(memtide):
    done = memtide("doctor", "--json")
    checks = json.loads(done.out)
    names = [c["check"] for c in checks]
    assert len(names) == len(set(names))
    kernel = ["cgroups", "memory limit", "OOM detection", "counters", "sampling", "huge pages", "swap"]
    assert not {*kernel, "gnuplot", "toolchains", "module proxy"} - set(names)
    for check in checks:
        assert check["state"] in ("ok", "warn", "fail") and check["found"], check
        assert check["state"] == "ok" or check["mend"], check
    assert done.code == (1 if any(c["state"] == "fail" for c in checks) else 0)


def test_doctor_prints_a_line_a_check_and_the_sum(memtide):
    done = memtide("doctor")
    assert done.code in (0, 1)
    states = re.findall(r"^(ok|warn|fail) +\S", done.out, re.M)
    total = re.search(r"^(\d+) ok, (\d+) to look at, (\d+) wrong\.$", done.out, re.M)
    assert total and [states.count(s) for s in ("ok", "warn", "fail")] == [int(n) for n in total.groups()]
    assert "\033" not in done.out


def test_doctor_names_what_mends_a_missing_gnuplot(memtide, tmp_path):
    (tmp_path / "bin").mkdir()
    done = memtide("doctor", "--json", env={"PATH": str(tmp_path / "bin")})
    check = next(c for c in json.loads(done.out) if c["check"] == "gnuplot")
    assert check["state"] != "ok" and "gnuplot" in check["mend"]


def test_doctor_as_an_ordinary_user_names_what_mends_it(memtide, needs_root):
    """Without the right to make groups; whatever is wrong then has a way out beside it."""
    if not shutil.which("setpriv"):
        pytest.skip("prerequisite: setpriv (util-linux)")
    with tempfile.TemporaryDirectory(prefix="memtide-doctor-") as work:
        # A user cannot always get at the checkout.
        shutil.copy(memtide.binary, work)
        subprocess.run(["chown", "-R", "65534:65534", work], check=True)
        done = subprocess.run(
            [*AS_NOBODY, f"{work}/memtide", "doctor", "--json"],
            capture_output=True, text=True, timeout=60, cwd=work, env=without(HOME=work, XDG_CACHE_HOME=work, GOPROXY="off"),
        )
    checks = json.loads(done.stdout)
    assert done.returncode == (1 if any(c["state"] == "fail" for c in checks) else 0)
    assert next(c for c in checks if c["check"] == "cgroups")["state"] != "ok"
    for check in checks:
        assert check["state"] == "ok" or check["mend"], check


def test_doctor_clean_with_nothing_to_clean(memtide, needs_root):
    done = memtide("doctor", "--clean")
    assert done.code == 0
    assert done.out == "Nothing was left behind.\n"


# ---- go


def test_go_list(memtide, toolchains):
    done = memtide("go", "list")
    assert done.code == 0
    assert done.out.startswith("RELEASE")
    assert re.search(r"^1\.12\.17 +\S+ +/", done.out, re.M)


def test_go_list_of_a_list_says_what_is_here_and_what_is_not(memtide, toolchains):
    done = memtide("go", "list", "1.12,1.20.2")
    assert done.code == 0
    assert re.search(r"^1\.12\.17 +here +/", done.out, re.M)
    assert re.search(r"^1\.20\.2 +(to fetch|here) ", done.out, re.M)
    rows = json.loads(memtide("go", "list", "1.12,1.16", "--json").out)
    assert [(r["asked"], r["version"], r["here"]) for r in rows] == [("1.12", "1.12.17", True), ("1.16", "1.16.15", True)]


def test_go_fetch_of_what_is_here_downloads_nothing(memtide, toolchains):
    """With a proxy that would refuse."""
    done = memtide("go", "fetch", "1.12.17", "1.16.15", env={"GOPROXY": "off"}, timeout=20)
    assert done.code == 0, done.err
    assert [line.split(",")[0] for line in done.out.splitlines()] == ["go1.12.17: here already", "go1.16.15: here already"]


# ---- plot


def test_plot_draws_offline_and_prints_the_files(memtide, copy_of_recorded, tmp_path):
    """From the folder alone: no Go, no zstd program, no network."""
    gnuplot = shutil.which("gnuplot")
    if not gnuplot:
        pytest.skip("prerequisite: gnuplot-nox")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/gnuplot").symlink_to(gnuplot)
    shutil.rmtree(copy_of_recorded.path / "plots", ignore_errors=True)
    done = memtide("plot", copy_of_recorded.path, env={"PATH": str(tmp_path / "bin"), "GOPROXY": "off"})
    assert done.code == 0, done.err
    files = done.out.split()
    assert {f.rsplit(".", 1)[1] for f in files} == {"png", "svg"}
    for file in files:
        with open(file, "rb") as f:
            head = f.read(64)
        assert head.startswith(b"\x89PNG") or head.startswith(b"<?xml"), file
    assert sorted(files) == sorted(str(p) for p in (copy_of_recorded.path / "plots").glob("*.[ps][nv]g"))


def test_plot_leaves_the_record_as_it_is(memtide, copy_of_recorded):
    if not shutil.which("gnuplot"):
        pytest.skip("prerequisite: gnuplot-nox")

    def record():
        return {p: p.read_bytes() for p in copy_of_recorded.path.rglob("*") if p.is_file() and "plots" not in p.parts}

    before = record()
    assert memtide("plot", copy_of_recorded.path).code == 0
    assert record() == before


def test_plot_as_an_ordinary_user(memtide, copy_of_recorded, needs_root):
    if not shutil.which("gnuplot") or not shutil.which("setpriv"):
        pytest.skip("prerequisite: gnuplot-nox, setpriv (util-linux)")
    with tempfile.TemporaryDirectory(prefix="memtide-plot-") as work:
        # A user cannot always get at the checkout: what is needed is laid beside.
        shutil.copy(memtide.binary, work)
        shutil.copytree(ROOT / "plots", f"{work}/plots", ignore=shutil.ignore_patterns("gallery"))
        shutil.copytree(copy_of_recorded.path, f"{work}/campaign")
        subprocess.run(["chown", "-R", "65534:65534", work], check=True)
        done = subprocess.run(
            [*AS_NOBODY, f"{work}/memtide", "plot", f"{work}/campaign"],
            capture_output=True, text=True, timeout=60, cwd=work, env={**without(), "MEMTIDE_HOME": work, "HOME": work},
        )
        assert done.returncode == 0, done.stderr
        assert f"{work}/campaign/plots/" in done.stdout


def test_run_draws_and_show_names_the_figures(memtide, scenario, stimulus):
    if not shutil.which("gnuplot"):
        pytest.skip("prerequisite: gnuplot-nox")
    done = memtide("run", scenario(command=[stimulus("alloc"), 20, 200, "drop"]), plot=True)
    assert done.code == 0, done.err
    drawn = sorted(str(p) for p in (done.campaign.path / "plots").glob("*.[ps][nv]g"))
    assert drawn
    for path in drawn:
        assert path in done.out
    assert "Figures:" in memtide("show", done.campaign.path).out


def test_make_help_fits_a_terminal():
    lines = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert any(line.startswith("  make check ") for line in lines)
    assert max(map(len, lines)) <= 80
