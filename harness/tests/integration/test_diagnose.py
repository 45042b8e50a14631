# SPDX-License-Identifier: Apache-2.0
"""Why the memory is there: real programs on real releases, told, and proved by the run that could prove it wrong."""

import json
import re
import subprocess
import sys

import pytest

from conftest import ROOT, newest_campaign

NEWEST_AND_OLD = "1.11,1.16,latest"


@pytest.fixture
def diagnose(memtide):
    def call(*args, code=0, **more):
        done = memtide("diagnose", *args, **more)
        assert done.code == code, done.out + done.err
        return done

    return call


@pytest.fixture
def campaign(memtide, toolchains, needs_root):
    """campaign("allocate", "--go", "1.16", ...): a recorded one, whatever becomes of its expectations."""

    def run(name, *args):
        done = memtide("run", name, *args, "--repeat", "1", timeout=300)
        assert done.code in (0, 1), done.out + done.err
        return newest_campaign(memtide.results)

    return run


def answers(done):
    all_ = json.loads(done.out)
    assert all_["format"] == "memtide-diagnosis/1"
    return {a["cell_id"]: a for a in all_.get("cells", [all_])}


def told(done):
    return {cell: a["mechanism"] for cell, a in answers(done).items()}


# ---- what it tells of whom


def test_lazily_freed_memory_is_told_and_proved(campaign, diagnose):
    c = campaign("free-os-memory", "--go", "1.13,latest", "--set", "godebug=default")
    assert list(told(diagnose(c.path, "--json")).values()) == ["lazyfree", "released"]

    proved = answers(diagnose(c.path, "--json", "--confirm", "--cell", "go=1.13,godebug=default"))["go=1.13,godebug=default"]
    confirmation = proved["confirmation"]
    assert confirmation["ran"] and confirmation["holds"] and confirmation["mechanism"] == "released"
    assert confirmation["with"] == "GODEBUG=madvdontneed=1" and confirmation["rss_bytes"] < 60 << 20 < proved["rss_bytes"]
    assert re.search(r"With GODEBUG=madvdontneed=1 RSS is [\d.]+ MB instead of 8\d\d MB: confirmed\.", confirmation["text"])
    again = json.loads((c.path / "confirm" / confirmation["dir"].split("/")[-1] / "campaign.json").read_text())
    assert [cell["settings"] for cell in again["cells"]] == [{"go": "1.13.15", "godebug": "madvdontneed=1"}]


def test_goroutines_are_told_with_the_place_that_made_them(campaign, diagnose):
    c = campaign("goroutine-leak", "--go", NEWEST_AND_OLD, "--set", "variant=blocked")
    all_ = answers(diagnose(c.path, "--json"))
    assert [a["mechanism"] for a in all_.values()] == ["goroutines"] * 3
    for a in all_.values():
        text = "\n".join(e["text"] for e in a["evidence"])
        assert re.search(r"100 00\d goroutines hold 19\d MB of stacks", text), text
        assert re.search(r"100 000 of them were made at main\.go:\d+ \(main\.main\) and wait: select \(no cases\)", text), text
        assert a["held"]["goroutines"] > 180 << 20 and "goroutines have to end" in a["text"]


def test_memory_of_c_is_told_and_its_two_kinds_apart(campaign, diagnose):
    c = campaign("cgo-malloc", "--go", "1.16,latest", "--set", "variant=leaky,arenas")
    assert set(told(diagnose(c.path, "--json")).values()) == {"native"}

    done = diagnose(c.path, "--confirm")
    assert re.search(r"With GOGC=10 RSS is 19\d MB instead of 19\d MB: not disproved\.", done.out)
    assert re.search(r"With MALLOC_ARENA_MAX=2 RSS\s+is [\d.]+ MB instead of [\d.]+ MB: confirmed: it had been freed", re.sub(r"\s+", " ", done.out))
    assert max(map(len, done.out.splitlines())) <= 80
    # Releases that say the same are told together.
    assert re.search(r"^Go 1\.16 and 1\.\d+, leaky: native; in go=1\.\d+,variant=leaky:$", done.out, re.M)


def test_idle_memory_is_proved_by_a_memory_limit(campaign, diagnose):
    c = campaign("go62449", "--go", "latest", "--set", "env=default")
    [proved] = answers(diagnose(c.path, "--json", "--confirm")).values()
    assert proved["mechanism"] == "not-yet-scavenged"
    assert proved["confirmation"]["with"].startswith("GOMEMLIMIT=") and proved["confirmation"]["holds"], proved["confirmation"]


def test_what_waits_for_a_collection_is_proved_by_one(campaign, diagnose):
    """Stacks of ended goroutines: with debug.FreeOSMemory() they go; those of goroutines that wait stay."""
    c = campaign("goroutine-leak", "--go", "1.11,latest", "--set", "variant=blocked,never-collected")
    all_ = answers(diagnose(c.path, "--json", "--confirm"))
    for cell, a in all_.items():
        said = a["confirmation"]
        assert a["mechanism"] == "goroutines" and said["ran"] and said["holds"], said
        assert said["with"] == "debug.FreeOSMemory() called after 720s"
        if "never-collected" in cell:
            assert said["rss_bytes"] < 80 << 20 < a["rss_bytes"] and said["text"].endswith(": confirmed.")
        else:
            assert said["rss_bytes"] > 0.9 * a["rss_bytes"] and said["text"].endswith(": not disproved.")


def test_memory_that_c_lazily_freed_is_proved_by_pressure(memtide, scenario, stimulus, diagnose, needs_root):
    memtide("run", scenario("freed", command=[stimulus("acted_on"), "100", "free"], run="for: 8s", limit="300MB"))
    c = newest_campaign(memtide.results)
    [a] = answers(diagnose(c.path, "--json", "--confirm")).values()
    assert a["mechanism"] == "lazyfree" and a["disproof"]["axis"] == "act" and a["disproof"]["value"] == "reclaim"
    said = a["confirmation"]
    assert said["with"] == "its memory reclaimed late in the run" and said["holds"] and said["rss_bytes"] < 20 << 20 < a["rss_bytes"], said
    [done] = [json.loads(p.read_text()) for p in (c.path / "confirm").glob("*/*/1/run.json")]
    assert [(act["do"], act["at_s"], act["result"]) for act in done["timeline"]] == [("reclaim", 6.0, "ok")]


def test_a_wrong_answer_is_not_confirmed(campaign, diagnose):
    """The record is made to say what is not so: the run that could prove it wrong does."""
    c = campaign("cache-growth", "--go", "1.13", "--set", "variant=grows")
    path = c.path / "go=1.13,variant=grows" / "1" / "run.json"
    run = json.loads(path.read_text())
    for metric in run["metrics"]:
        if metric.endswith("_settled_bytes") and metric != "settled_rss_bytes":
            run["metrics"][metric] = 0
    run["metrics"]["lazyfree_settled_bytes"] = run["metrics"]["lazyfree_split_settled_bytes"] = run["metrics"]["settled_rss_bytes"]
    run["runtime"]["settings"]["madvdontneed"] = 0
    path.write_text(json.dumps(run))

    done = diagnose(c.path, "--json", "--confirm", code=3)
    [answer] = answers(done).values()
    assert answer["mechanism"] == "lazyfree" and not answer["confirmation"]["holds"]
    assert "not confirmed" in answer["confirmation"]["text"]


# ---- what it has to say where it cannot


def test_what_is_no_go_program_is_unknown(memtide, scenario, stimulus, diagnose):
    memtide("run", scenario("kept", command=[stimulus("alloc"), "20", "300"]))
    path = newest_campaign(memtide.results).path
    done = diagnose(path, "--json", code=3)
    [answer] = answers(done).values()
    assert answer["mechanism"] == "unknown" and answer["why"] and answer["mechanism_share"] == 0
    done = diagnose(path, code=3)
    assert "It cannot be told: the Go runtime" in done.out


def test_what_was_given_back_needs_no_runtime(recorded, diagnose):
    """A C program that drops what it took: the kernel's numbers are enough."""
    assert set(told(diagnose(recorded.path, "--json")).values()) == {"released"}


def test_an_unknown_cell_is_named(recorded, diagnose):
    done = diagnose(recorded.path, "--cell", "env=defalt", code=2)
    assert "did you mean 'env=default'?" in done.err and not done.out


def test_no_campaign(diagnose, tmp_path):
    done = diagnose(tmp_path / "nothing", code=2)
    assert "nothing" in done.err


def test_what_can_not_be_run_again_is_said(copy_of_recorded, campaign, diagnose):
    c = campaign("cgo-malloc", "--go", "latest", "--set", "variant=leaky")
    (c.path / "scenario.yaml").unlink()
    # What nobody tried is not confirmed.
    done = diagnose(c.path, "--confirm", code=3)
    out = re.sub(r"\s+", " ", done.out)
    assert "no scenario that could be run again" in out and "Not confirmed, not disproved." in out
    assert diagnose(c.path).code == 0


def test_of_what_was_given_back_nothing_has_to_be_tried(recorded, diagnose):
    done = diagnose(recorded.path, "--confirm", "--json")
    assert not any(a["confirmation"]["ran"] for a in answers(done).values())


# ---- in run.json, expectations and show


def test_a_scenario_expects_a_mechanism(memtide, scenario, toolchains, needs_root):
    path = scenario(
        "why",
        program="cgo-malloc",
        run="for: 40s, clock: virtual",
        extra="args: [-variant, leaky]\naxes: {go: [latest]}\nexpect:\n"
        "  - {that: mechanism == native, because: C has it}\n"
        "  - {that: mechanism == live-heap|goroutines, because: it does not}\n"
        "  - {that: mechanism != native}\n",
    )
    done = memtide("run", path)
    assert done.code == 1
    run = done.run()
    assert run["mechanism"] == "native" and run["mechanism_share"] > 0.9 and run["runner_up"] is None
    assert [(e["that"], e["holds"], e["measured"]) for e in run["expectations"]] == [
        ("mechanism == native", True, "native"),
        ("mechanism == live-heap|goroutines", False, "native"),
        ("mechanism != native", False, "native"),
    ]
    assert all(set(e) == {"metric", "value", "text"} and e["metric"] in run["metrics"] for e in run["evidence"]), run["evidence"]
    assert run["disproof"]["axis"] == "env"
    out = re.sub(r"\s+", " ", done.out)
    assert "expected mechanism == live-heap|goroutines; measured native against live-heap|goroutines" in out
    assert "Why the memory is there (memtide diagnose tells more): native" in out


def test_how_often_they_are_right_is_counted(tmp_path):
    """The driver, over records made by hand."""

    def run(scenario, cell, told, *expected):
        folder = tmp_path / "corpus" / scenario / cell / "1"
        folder.mkdir(parents=True)
        words = [{"that": f"mechanism {e}", "measured": told, "holds": told in e.removeprefix("== ").split("|")} for e in expected]
        record = {"scenario": scenario, "cell": {"go": cell}, "outcome": "ok", "metrics": {"peak_rss_bytes": 1}, "expectations": words,
                  "go": {"version": f"{cell}.3"}}
        (folder / "run.json").write_text(json.dumps(record))

    driver = [sys.executable, ROOT / "harness/drivers/mechanisms.py", "--results", tmp_path]
    assert "there is no corpus" in subprocess.run(driver, capture_output=True, text=True).stderr
    run("a", "1.9", "lazyfree", "== lazyfree")
    run("a", "1.16", "unknown", "== live-heap")
    run("b", "1.16", "native", "== native|threads")
    (tmp_path / "corpus" / "corpus.json").write_text(json.dumps({"started": "2026-01-01T00:00:00Z"}))
    page = tmp_path / "page.md"
    page.write_text("above\n<!-- tables: mechanisms.py -->\nold\n<!-- end of tables -->\nbelow\n")

    done = subprocess.run([*driver, "--write", page], capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "3 runs on 2 Go releases (1.9, 1.16). Where one mechanism is expected: 1 of 2 are right, 1 are `unknown`, 0 are wrong." in done.stdout
    assert "| `lazyfree` | **1** |  |" in done.stdout and "| `live-heap` |  | 1 |" in done.stdout
    assert "| `== native\\|threads` | native 1 |" in done.stdout
    assert "* a, go=1.16: expected `== live-heap`, told unknown" in done.stdout
    text = page.read_text()
    assert "no expectation" not in done.stdout
    assert text.startswith("above\n") and text.endswith("below\n") and "\nold\n" not in text and done.stdout.strip() in text


def test_a_run_that_expects_nothing_is_no_success(tmp_path):
    folder = tmp_path / "corpus" / "a" / "1.9" / "1"
    record = {"scenario": "a", "cell": {"go": "1.9"}, "outcome": "ok", "metrics": {"peak_rss_bytes": 1}, "go": {"version": "1.9.3"}}
    folder.mkdir(parents=True)
    (tmp_path / "corpus" / "corpus.json").write_text(json.dumps({"started": "2026-01-01T00:00:00Z"}))
    for conditions, code in (([], 1), ([{"that": "mechanism == native", "measured": "native", "holds": True}], 0)):
        (folder / "run.json").write_text(json.dumps({**record, "expectations": conditions}))
        done = subprocess.run([sys.executable, ROOT / "harness/drivers/mechanisms.py", "--results", tmp_path], capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        assert ("1 runs have no expectation of their mechanism." in done.stdout) == bool(code)
