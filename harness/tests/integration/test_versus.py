# SPDX-License-Identifier: Apache-2.0
"""Expectations that hold one cell against another of the campaign."""

import json
import shutil

import pytest

EXPECT = """expect:
  - for: {env: SIZE=60}
    that: [peak_rss_bytes > FACTOR * peak_rss_bytes]
    versus: {env: SIZE=10}
    because: it has six times as much
  - that: [threads_peak == 1]
"""


@pytest.fixture
def two_sizes(scenario, stimulus):
    def write(factor, **more):
        command = ["sh", "-c", f'exec {stimulus("alloc")} $SIZE 200']
        axes = "axes: {env: [SIZE=10, SIZE=60]}\n"
        return scenario(command=command, run="timeout: 20s, repeat: 2", extra=axes + EXPECT.replace("FACTOR", str(factor)), **more)

    return write


def test_it_holds(memtide, two_sizes):
    done = memtide("run", two_sizes(3))
    assert done.code == 0, done.out + done.err
    assert "All 3 expectations hold." in done.out
    (versus,) = done.campaign.info["versus"]
    assert versus == {
        "cell": "env=SIZE=60", "other": "env=SIZE=10", "that": "peak_rss_bytes > 3 * peak_rss_bytes", "metric": "peak_rss_bytes",
        "compare": ">", "factor": 3.0, "other_metric": "peak_rss_bytes", "because": "it has six times as much", "share": 1.0,
    }
    assert all(e["that"] == "threads_peak == 1" for run in done.runs() for e in run["expectations"])

    listed = memtide("show", "--expectations", done.campaign.path)
    assert listed.code == 0
    lines = listed.out.splitlines()
    assert max(map(len, lines)) <= 80
    at = lines.index("peak_rss_bytes > 3 * peak_rss_bytes, that of another cell")
    assert lines[at + 1] == "  because it has six times as much"
    assert lines[at + 2].startswith("  holds  env=SIZE=60  ") and "61." in lines[at + 2] and "against" in lines[at + 2]
    at = lines.index("threads_peak == 1")
    assert [line.split() for line in lines[at + 1 : at + 3]] == [["holds", "env=SIZE=10", "1"], ["holds", "env=SIZE=60", "1"]]


def test_it_fails(memtide, two_sizes):
    done = memtide("run", two_sizes(10))
    assert done.code == 1
    at = done.out.index("\n  env=SIZE=60: expected ")
    told = done.out[at : done.out.index("    expected because: it has six times as much")]
    assert all(len(line) <= 80 for line in told.splitlines())
    told = " ".join(told.split())
    assert told.startswith("env=SIZE=60: expected peak_rss_bytes > 10 * peak_rss_bytes of env=SIZE=10; measured 61.")
    assert told.endswith("(fails in 2 of 2 runs)") and "in env=SIZE=10)" in told

    for command in (["show", "--json"], ["export", "--format", "json"]):
        told = json.loads(memtide(*command, done.campaign.path).out)
        (verdict,) = [v for v in told["verdicts"] if v["other"]]
        assert verdict["holds"] is False and verdict["held"] == 0 and verdict["runs"] == 2
        assert 60 << 20 < verdict["measured"]["min"] <= verdict["measured"]["median"] <= verdict["measured"]["max"] < 63 << 20
        assert verdict["limit"] == pytest.approx(10 * verdict["other_median"])
        assert [v["holds"] for v in told["verdicts"] if not v["other"]] == [True, True]
    assert memtide("show", "--json", done.campaign.path).code == 1
    assert memtide("show", "--expectations", done.campaign.path).code == 1
    assert memtide("export", "--format", "json", done.campaign.path).code == 0

    # From the folder alone, without the other cell's runs, nothing can be said.
    shutil.rmtree(done.campaign.path / "env=SIZE=10")
    assert memtide("show", done.campaign.path).code == 0


def test_the_other_cell_is_not_in_the_campaign(memtide, two_sizes):
    done = memtide("run", two_sizes(10), "--set", "env=SIZE=60")
    assert done.code == 0, done.out
    assert done.campaign.info["versus"] == [] and "The one expectation holds." in done.out


CRASH = 'case "$2" in leaky) exec sleep 0.3;; *) sleep 0.3; exit 3;; esac'


def test_a_crash_is_no_measure_of_another_cell(memtide, scenario):
    axes = "axes: {variant: [leaky, fixed]}\n"
    expect = "expect:\n  - for: {variant: leaky}\n    versus: {variant: fixed}\n    that: [peak_rss_bytes > 0.01 * peak_rss_bytes]\n"
    done = memtide("run", scenario(command=["/bin/sh", "-c", CRASH, "sh"], run="timeout: 9s", extra=axes + expect))
    assert done.code == 1
    assert "did not end as it should" in " ".join(done.out.split())


def test_a_crash_of_which_nothing_is_expected(memtide, scenario):
    expect = "expect: [{that: peak_rss_bytes < 100MB}]\n"
    done = memtide("run", scenario(command=["/bin/sh", "-c", "sleep 1; exit 3"], extra=expect))
    assert done.code == 1
    assert "expected outcome == ok; measured exit against ok" in done.out
    wanted = "expect: [{that: [peak_rss_bytes < 100MB, outcome == exit]}]\n"
    assert memtide("run", scenario("wanted", command=["/bin/sh", "-c", "sleep 1; exit 3"], extra=wanted)).code == 0


def test_the_same_words_for_two_reasons(memtide, scenario):
    expect = "expect:\n  - {that: threads_peak == 2, share: 0.01, because: of one}\n  - {that: threads_peak == 2, because: of another}\n"
    done = memtide("run", scenario(command=["sleep", "0.2"], run="timeout: 9s, repeat: 2", extra=expect))
    assert done.code == 1 and "2 of 2 expectations failed" in done.out
    assert "of one" in done.out and "of another" in done.out
