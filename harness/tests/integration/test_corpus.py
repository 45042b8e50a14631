# SPDX-License-Identifier: Apache-2.0
"""All scenarios at once: one folder, one table, one picture; and whether their expectations notice anything."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import ROOT, png_size, wait_until

LEAKY, FIXED = 60, 10  # MB


def corpora(memtide):
    return sorted(p.parent for p in memtide.results.glob("*/corpus.json"))


@pytest.fixture
def corpus(memtide):
    """corpus("run", ...): runs go to the test's own results."""

    def call(action, *args, **more):
        where = ["--out", memtide.results] if action == "run" else []
        return memtide("corpus", action, *args, *where, **more)

    return call


@pytest.fixture
def leak(scenario, stimulus):
    """leak("name", fixed="peak_rss_bytes < 30MB") writes a scenario of two variants and returns its path."""

    def write(name="leak", leaky="peak_rss_bytes > 40MB", fixed="peak_rss_bytes < 30MB", story="leaks", run="timeout: 20s, takes: 0.4s"):
        script = f"exec {stimulus('alloc')} $(test $1 = leaky && echo {LEAKY} || echo {FIXED}) 150"
        return scenario(
            name,
            command=["sh", "-c", script],
            run=run,
            extra=f"story: {story}\naxes: {{variant: [leaky, fixed]}}\nexpect:\n"
            f"  - {{for: {{variant: leaky}}, that: ['{leaky}'], because: it leaks}}\n"
            f"  - {{for: {{variant: fixed}}, that: ['{fixed}'], because: it does not}}\n",
        )

    return write


def info_of(path):
    return json.loads((path / "corpus.json").read_text())


def row(out, name):
    """The letters of the table's row that begins with the name."""
    for line in out.splitlines():
        if re.match(rf" *{re.escape(name)} ", line):
            return line.split(name, 1)[1].split()
    raise AssertionError(f"no row {name} in:\n{out}")


# ---- run


def test_each_scenario_is_a_campaign_in_one_folder(corpus, memtide, leak, needs_root):
    done = corpus("run", leak("one"), leak("two"), "--no-plot", "--seed", "3")
    assert done.code == 0, done.out + done.err
    [path] = corpora(memtide)
    assert re.fullmatch(r"\d{8}-\d{6}-corpus", path.name)
    info = info_of(path)
    assert info["format"] == "memtide-corpus/1"
    assert info["started"] <= info["finished"]
    assert [c["name"] for c in info["campaigns"]] == ["one", "two"]
    for c in info["campaigns"]:
        campaign = json.loads((path / c["name"] / "campaign.json").read_text())
        assert campaign["scenario"] == c["name"] and campaign["finished"] and campaign["seed"] == "3"
        assert (path / c["name"] / "scenario.yaml").exists()
        assert len(list((path / c["name"]).glob("*/1/run.json"))) == c["runs"] == 2
        assert c["takes_s"] == 0.4 and 0.1 < c["took_s"] < 20


def test_what_was_said_of_the_time_left_is_recorded_beside_what_came_true(corpus, memtide, leak, needs_root):
    assert corpus("run", leak("one"), leak("two"), leak("three"), "--repeat", "3", "--no-plot").code == 0
    info = info_of(corpora(memtide)[0])
    eta = info["eta"]
    assert set(eta) == {"at_s", "said_s", "took_s"}
    assert 0 < eta["at_s"] < 60 and eta["said_s"] > 0
    assert eta["at_s"] + eta["took_s"] == pytest.approx(info["took_s"], abs=0.01)


def test_the_progress_line_tells_of_the_whole(memtide, leak, needs_root):
    command = [memtide.binary, "corpus", "run", leak("one"), leak("two"), "--no-plot", "--out", memtide.results]
    done = subprocess.run(
        ["script", "-qec", " ".join(map(str, command)), "/dev/null"], capture_output=True, text=True, timeout=120,
        env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d of 4 runs, \d running, 0:\d\d gone, about \d+:\d\d left +(one|two) variant=(leaky|fixed)", done.stdout)


def test_all_bundled_scenarios_when_none_is_named(corpus, memtide, toolchains, needs_root, tmp_path):
    home = tmp_path / "home"
    (home / "scenarios").mkdir(parents=True)
    (home / "goprogs").symlink_to(ROOT / "goprogs")
    # Longer than in earnest: on a busy machine the release may still go on at 11 s.
    text = (ROOT / "scenarios/free-os-memory.yaml").read_text()
    (home / "scenarios/free-os-memory.yaml").write_text(text)
    (home / "scenarios/later.yaml").write_text(
        text.split("expect:")[0].replace("name: free-os-memory", "name: later").replace("1.11..latest", "latest")
    )
    done = corpus("run", "--go", "1.11,1.12", "--repeat", "1", "--no-plot", env={"MEMTIDE_HOME": str(home)})
    assert done.code == 0, done.out + done.err
    [path] = corpora(memtide)
    assert [c["name"] for c in info_of(path)["campaigns"]] == ["free-os-memory"]
    assert "later is left out: it has none of Go 1.11,1.12" in done.err
    assert row(done.out, "default") == ["r", "f"]
    assert row(done.out, "madvdontneed=1") == ["-", "r"]
    mutated = corpus("mutate", path, env={"MEMTIDE_HOME": str(home)})
    assert mutated.code == 0, mutated.out
    assert re.search(r"^free-os-memory +- +2 of 2 +100 %$", mutated.out, re.M)


def test_one_that_fails_does_not_keep_the_others_from_being_run(corpus, memtide, leak, scenario, needs_root):
    broken = scenario("broken", command=["sh"], extra="nonsense: 1")
    done = corpus("run", broken, leak("fine"), "--no-plot")
    assert done.code == 2
    assert "broken.yaml:6" in done.err
    info = info_of(corpora(memtide)[0])
    assert [c["name"] for c in info["campaigns"]] == ["fine"] and info["failed"] == [str(broken)]
    assert row(done.out, "leaky") and "All 2 expectations hold." in done.out


def test_two_of_one_name_are_a_usage_error(corpus, leak, needs_root):
    path = leak("same")
    done = corpus("run", path, path, "--no-plot")
    assert done.code == 2 and "there is a second scenario of the name same" in done.err


def test_a_failed_expectation_is_listed_and_is_the_exit_code(corpus, memtide, leak, needs_root):
    done = corpus("run", leak("good"), leak("bad", fixed="peak_rss_bytes > 40MB"), "--no-plot")
    assert done.code == 1
    assert "1 of 4 expectations failed:" in done.out
    assert "bad variant=fixed: expected peak_rss_bytes > 40MB; measured 1" in " ".join(done.out.split())
    assert "expected because: it does not" in done.out
    shown = corpus("show", corpora(memtide)[0], "--no-plot")
    assert shown.code == 1 and shown.out == done.out
    assert sum("!" in line for line in done.out.splitlines() if line.startswith("  fixed")) == 1


def test_an_interrupted_corpus_is_resumed(corpus, memtide, leak, needs_root):
    slow = [leak(name, run="for: 2s, repeat: 2") for name in ("one", "two", "three")]
    command = [memtide.binary, "corpus", "run", *slow, "--no-plot", "--jobs", "2", "--out", memtide.results]
    run = subprocess.Popen(
        list(map(str, command)), env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: list(memtide.results.glob("*/one/*/*/run.json")))
    time.sleep(0.3)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert run.returncode == 3, err
    [path] = corpora(memtide)
    assert f"Go on with: memtide corpus run --resume --out {path}" in err
    assert info_of(path)["finished"] is None
    first = {p: p.stat().st_mtime_ns for p in path.glob("*/*/*/run.json") if json.loads(p.read_text())["outcome"] == "ok"}
    assert 0 < len(first) < 12

    done = corpus("run", "--resume", "--no-plot")
    assert done.code == 0, done.out + done.err
    assert info_of(path)["finished"]
    runs = list(path.glob("*/*/*/run.json"))
    assert len(runs) == 12 and all(json.loads(p.read_text())["outcome"] == "ok" for p in runs)
    assert all(p.stat().st_mtime_ns == t for p, t in first.items()), "a finished run was made again"
    assert all(json.loads((path / name / "campaign.json").read_text())["finished"] for name in ("one", "two", "three"))


def test_resume_takes_no_other_options(corpus, memtide, leak, needs_root):
    assert corpus("run", leak("one"), "--no-plot").code == 0
    done = corpus("run", "--resume", "--repeat", "2")
    assert done.code == 2 and "the corpus' own" in done.err


# ---- show


def test_the_picture_is_drawn(corpus, memtide, leak, needs_root):
    done = corpus("run", leak("one", story="history"), leak("two"))
    assert done.code == 0, done.out + done.err
    [path] = corpora(memtide)
    width, height = png_size(path / "plots/corpus.png")
    assert 900 <= width <= 2400 and 300 <= height <= 800
    svg = (path / "plots/corpus.svg").read_text()
    for word in ["leaks", "history", "leaky", "fixed", "What became of the memory: 2 scenarios"]:
        assert word in svg, word
    assert svg.index("leaks<") < svg.index("history<")
    assert str(path / "plots/corpus.png") in done.out
    assert (path / "one/plots/grid.png").exists(), "each campaign has its own figures too"


def test_the_table_is_grouped_by_story_and_fits_80_columns(corpus, leak, needs_root):
    done = corpus("run", leak("z-first", story="idle memory"), leak("a-second", story="history"), "--no-plot")
    lines = done.out.splitlines()
    assert lines.index("idle memory") < lines.index("history")
    table = done.out.split("\nRecorded in")[0]
    assert max(map(len, table.splitlines())) <= 80
    assert "k kept" in table


def test_without_a_corpus_it_says_how_to_make_one(corpus, tmp_path):
    for action in ("show", "mutate"):
        done = corpus(action, "--results", tmp_path)
        assert done.code == 2 and "there is no corpus yet" in done.err and "make corpus" in done.err
    done = corpus("show", tmp_path)
    assert done.code == 2 and "is no corpus" in done.err


# ---- mutate


def test_expectations_that_tell_the_variants_apart_score_100(corpus, memtide, leak, needs_root):
    assert corpus("run", leak("good"), "--no-plot").code == 0
    done = corpus("mutate", corpora(memtide)[0])
    assert done.code == 0, done.out
    assert re.search(r"^good +2 of 2 +- +100 %$", done.out, re.M)
    assert "Unnoticed" not in done.out


def test_a_survivor_is_named_with_both_cells_and_what_held(corpus, memtide, leak, needs_root):
    assert corpus("run", leak("good"), leak("blind", fixed="peak_rss_bytes > 1MB"), "--no-plot").code == 0
    done = corpus("mutate", corpora(memtide)[0])
    assert done.code == 1
    assert re.search(r"^blind +1 of 2 +- +50 %$", done.out, re.M)
    assert re.search(r"^all +3 of 4 +- +75 %$", done.out, re.M)
    text = " ".join(done.out.split())
    assert "blind: what is expected of variant=fixed holds for the runs of variant=leaky too: peak_rss_bytes > 1MB" in text


def test_variants_described_by_the_same_expectations_are_not_exchanged(corpus, memtide, scenario, stimulus, needs_root):
    path = scenario(
        "alike", command=["sh", "-c", f"exec {stimulus('alloc')} 10 150"],
        extra="axes: {variant: [buffer, context]}\nexpect:\n  - {that: ['peak_rss_bytes < 30MB']}\n",
    )
    assert corpus("run", path, "--no-plot").code == 0
    done = corpus("mutate", corpora(memtide)[0])
    assert re.search(r"^alike +- +- +-$", done.out, re.M)
    assert done.code == 1 and "nothing could be exchanged" in done.err


def test_a_side_of_which_nothing_is_expected_notices_nothing(corpus, memtide, scenario, stimulus, needs_root):
    path = scenario(
        "half", command=["sh", "-c", f"exec {stimulus('alloc')} $(test $1 = leaky && echo {LEAKY} || echo {FIXED}) 150"],
        extra="axes: {variant: [leaky, fixed]}\nexpect:\n  - {for: {variant: leaky}, that: ['peak_rss_bytes > 40MB']}\n",
    )
    assert corpus("run", path, "--no-plot").code == 0
    done = corpus("mutate", corpora(memtide)[0])
    assert done.code == 1
    assert "half: nothing is expected of variant=fixed" in " ".join(done.out.split())


def test_a_versus_exchanges_its_sides(corpus, memtide, scenario, stimulus, needs_root):
    versus = "  - {for: {variant: leaky}, versus: {variant: fixed}, that: ['peak_rss_bytes > %s * peak_rss_bytes']}\n"
    command = ["sh", "-c", f"exec {stimulus('alloc')} $(test $1 = leaky && echo {LEAKY} || echo {FIXED}) 150"]
    for name, factor in ("sharp", 2), ("blunt", 0.01):
        scenario(name, command=command, extra="axes: {variant: [leaky, fixed]}\nexpect:\n" + versus % factor)
    folder = memtide.results.parent
    assert corpus("run", folder / "sharp.yaml", folder / "blunt.yaml", "--no-plot").code == 0
    done = corpus("mutate", corpora(memtide)[0])
    assert done.code == 1
    assert re.search(r"^sharp +2 of 2 +- +100 %$", done.out, re.M), done.out
    assert re.search(r"^blunt +0 of 2 +- +0 %$", done.out, re.M), done.out


def test_exchanged_outcomes_are_noticed(corpus, memtide, scenario, needs_root):
    path = scenario(
        "ends", command=["sh", "-c", "sleep 0.2; test $1 = good"],
        extra="axes: {variant: [good, bad]}\nexpect:\n  - {for: {variant: good}, that: [outcome == ok]}\n"
        "  - {for: {variant: bad}, that: [outcome == exit]}\n",
    )
    assert corpus("run", path, "--no-plot").code == 0
    done = corpus("mutate", corpora(memtide)[0])
    assert done.code == 0 and re.search(r"^ends +2 of 2 +- +100 %$", done.out, re.M), done.out


# ---- the command line


@pytest.mark.parametrize("action", ["run", "show", "mutate"])
def test_help_of_every_action(memtide, action):
    done = memtide("corpus", action, "--help")
    assert done.code == 0 and done.err == ""
    assert done.out.startswith(f"Usage: memtide corpus {action} ")
    assert max(map(len, done.out.splitlines())) <= 80


def test_an_unknown_action_is_suggested(memtide):
    done = memtide("corpus", "shwo")
    assert done.code == 2 and "did you mean 'show'?" in done.err
    assert memtide("corpus").code == 2


# ---- the gallery


def test_the_gallery_has_a_figure_and_a_text_for_each(corpus, memtide, leak, needs_root, tmp_path):
    assert corpus("run", leak("one"), "--no-plot").code == 0
    out = tmp_path / "gallery"
    done = subprocess.run(
        ["python3", ROOT / "harness/drivers/gallery.py", f"--memtide={memtide.binary}", f"--results={memtide.results}", f"--out={out}"],
        capture_output=True, text=True, timeout=60, env={**os.environ, "MEMTIDE_HOME": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    page = (out / "README.md").read_text()
    assert page.index("![What became of the memory") < page.index("## Leaks") < page.index("### one")
    assert "**What does one do?**" in page and "build/memtide run one" in page
    for name in ["corpus.png", "one.png"]:
        width, height = png_size(out / name)
        assert width >= 900 and height >= 250
        assert f"]({name})" in page
