# SPDX-License-Identifier: Apache-2.0
"""What is recorded is what happened: targets of known size, known to the page."""

import json
import os
import subprocess

import pytest

from conftest import ROOT, newest_campaign, slack_s

MIB = 1 << 20
SIZES = [1, 7, 100]

pytestmark = pytest.mark.usefixtures("needs_root")


def value_at(samples, t, column):
    """A row holds until the next one. Where nothing is known of that moment: what was known last before it."""
    return [row for row in samples if row[0] <= t and row[column] is not None][-1][column]


def value_from(samples, t, column):
    """Likewise, but what is known next after it."""
    now = [row for row in samples if row[0] <= t][-1:] + [row for row in samples if row[0] > t]
    return next(row[column] for row in now if row[column] is not None)


def mark(run, name):
    return next(m["t_s"] for m in run["marks"] if m["name"] == name)


def phases(campaign, run, column):
    """Before the load, while it is held, after the drop. The target goes on when a mark has been read; its values were read right before:
    hence 20 ms before `load`, where it sleeps, and 20 ms after the others."""
    samples = campaign.samples()
    return (
        value_at(samples, mark(run, "load") - 0.02, column),
        value_from(samples, mark(run, "loaded") + 0.02, column),
        value_from(samples, mark(run, "dropped") + 0.02, column),
    )


@pytest.fixture(scope="module", params=SIZES, ids=lambda n: f"{n}MiB")
def calibrated(request, build, tmp_path_factory):
    """(size in bytes, campaign, run.json) of one run of `alloc N 500 drop`, made once for all tests."""
    folder = tmp_path_factory.mktemp(f"alloc{request.param}")
    (folder / "alloc.yaml").write_text(
        "name: alloc\ntitle: Is every page counted?\nlimit: 256MB\nrun: {timeout: 20s}\n"
        f"program: {{command: {json.dumps([str(build / 'stimuli/alloc'), str(request.param), '500', 'drop'])}}}\n"
    )
    done = subprocess.run(
        [build / "memtide", "run", "alloc.yaml", "--out", "results", "--no-plot"],
        cwd=folder, capture_output=True, text=True, timeout=60, env={**os.environ, "MEMTIDE_HOME": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    campaign = newest_campaign(folder / "results")
    (run,) = campaign.runs()
    assert run["outcome"] == "ok", run["why"]
    return request.param * MIB, campaign, run


def test_rss_to_the_page(calibrated):
    """Within a page, and the error of this kernel's statm that the self-test found (0 from Linux 6.16 on), at both ends."""
    size, campaign, run = calibrated
    before, held, after = phases(campaign, run, 1)
    allowed = (1 + 2 * run["sampling"]["statm_error_pages"]) * run["host"]["page_bytes"]
    assert abs(held - before - size) <= allowed, "what was touched"
    assert abs(held - after - size) <= allowed, "what was unmapped"


def test_peak_rss(calibrated):
    size, campaign, run = calibrated
    before, held, _ = phases(campaign, run, 1)
    peak = run["metrics"]["peak_rss_bytes"]
    assert peak >= max(rss for _, rss, _ in campaign.samples())
    assert abs(peak - before - size) <= 256 << 10
    assert peak >= held


def test_baseline_and_settled(calibrated):
    _, campaign, run = calibrated
    before, _, after = phases(campaign, run, 1)
    assert run["metrics"]["baseline_rss_bytes"] == before
    assert run["metrics"]["settled_rss_bytes"] == after


def test_usage(calibrated):
    size, campaign, run = calibrated
    before, held, after = phases(campaign, run, 2)
    assert abs(held - before - size) <= 2 * MIB
    assert abs(held - after - size) <= 2 * MIB


def test_memcg_peak(calibrated):
    size, campaign, run = calibrated
    peak = run["metrics"]["memcg_peak_bytes"]
    assert peak >= max(usage for _, _, usage in campaign.samples())
    assert size <= peak <= size + 4 * MIB


def test_the_fall_is_timed(calibrated):
    size, _, run = calibrated
    metrics = run["metrics"]
    assert 0 <= metrics["first_fall_s"] <= metrics["release_s"] < 0.3
    assert metrics["released_share"] == pytest.approx(1, abs=(256 << 10) / size), "all of it, as exact as the peak"


def test_the_kernels_own_error_is_stated(calibrated):
    _, campaign, run = calibrated
    assert run["sampling"]["statm_error_pages"] == campaign.info["selftest"]["worst_error_pages"]
    if tuple(map(int, os.uname().release.split(".")[:2])) >= (6, 16):
        assert run["sampling"]["statm_error_pages"] == 0
    assert campaign.info["selftest"]["pages"] > 0


def test_faults(calibrated):
    size, _, run = calibrated
    pages = size // run["host"]["page_bytes"]
    assert pages <= run["metrics"]["minor_faults"] <= pages + 500, "one a page, and those of its start"


@pytest.mark.parametrize("rate", [100, 1000, 5000])
def test_rates(memtide, scenario, stimulus, rate):
    result = memtide("run", scenario(command=[stimulus("alloc"), 20, 1500]), "--rate", rate)
    run = result.run()
    assert run["outcome"] == "ok", result.err
    sampling = run["sampling"]
    ticks = sampling["samples"] + sampling["missed"]
    assert sampling["rate_hz"] == rate == result.campaign.info["rate_hz"]
    # Those before its first sample and after its end do not count: under its exec, and until its end was noticed. In between none is left out.
    seen = mark(run, "loaded") + 1.5 - (mark(run, "load") - 0.1)
    assert 0.98 * rate * seen - 3 <= ticks <= 1.02 * rate * run["target_s"] + 3, "every tick is taken or counted as missed"
    assert sampling["samples"] > 0.5 * ticks
    assert sampling["lost"] == 0
    assert 0 <= sampling["lateness_us"]["p50"] <= sampling["lateness_us"]["p99"] <= sampling["lateness_us"]["max"]
    assert sampling["scheduling"] in ("fifo", "other")
    samples = result.campaign.samples()
    assert len(samples) <= sampling["samples"]
    times = [t for t, _, _ in samples]
    assert times == sorted(set(times)), "ascending"
    assert 0 <= times[0] and times[-1] <= run["target_s"]
    held = value_from(samples, mark(run, "loaded") + 0.05, 1) - value_at(samples, mark(run, "load") - 0.05, 1)
    assert abs(held - 20 * MIB) <= run["host"]["page_bytes"]


def test_a_process_of_a_millisecond(memtide, scenario):
    """The first look follows its exec: mostly it comes in time, though memtide may lose its CPU right there."""
    result = memtide("run", scenario(command=["/bin/sleep", "0.001"], run="timeout: 20s, repeat: 20"))
    seen = [run for run in result.runs() if run["sampling"]["samples"]]
    assert len(seen) >= (10 if slack_s() <= 0.1 else 1)
    for run in result.runs():
        assert run["outcome"] == "ok"
        if run not in seen:
            assert run["missing"]["peak_rss_bytes"] == "RSS was never read"
            continue
        assert result.campaign.samples(repeat=run["repeat"]) and run["sampling"]["samples"] >= 1
        assert run["metrics"]["peak_rss_bytes"] > 100_000


def test_a_process_that_exits_at_once(memtide, scenario, stimulus):
    """It may be gone before anybody looks: then RSS is missing, not zero."""
    result = memtide("run", scenario(command=[stimulus("misbehave"), "exit", 0], run="timeout: 20s, repeat: 20"))
    for run in result.runs():
        assert run["outcome"] == "ok" and run["target_s"] > 0
        if run["sampling"]["samples"]:
            assert run["metrics"]["peak_rss_bytes"] > 0
        else:
            assert "peak_rss_bytes" not in run["metrics"] and run["missing"]["peak_rss_bytes"]
        assert all(rss > 0 for _, rss, _ in result.campaign.samples(repeat=run["repeat"]))


def test_a_burst_between_two_ticks(memtide, scenario):
    """At 20 Hz a burst of some milliseconds goes unseen, and the peak is the kernel's own VmHWM."""
    burst = "import time; time.sleep(0.3); b = b'x' * (40 << 20); del b; time.sleep(1.2)"
    result = memtide("run", scenario(command=["/usr/bin/python3", "-c", burst]), "--rate", "20")
    grown = result.run()["metrics"]["peak_rss_bytes"] - result.campaign.samples()[-1][1]
    assert abs(grown - 40 * MIB) <= 256 << 10


def test_side_by_side_runs_are_exact_too(memtide, scenario, stimulus):
    result = memtide("run", scenario(command=[stimulus("alloc"), 30], run="timeout: 20s, repeat: 4"), "--jobs", "4")
    assert [r["outcome"] for r in result.runs()] == ["ok"] * 4
    for run in result.runs():
        samples = result.campaign.samples(repeat=run["repeat"])
        grown = value_from(samples, mark(run, "loaded") + 0.02, 1) - value_at(samples, mark(run, "load") - 0.02, 1)
        assert abs(grown - 30 * MIB) <= run["host"]["page_bytes"]
