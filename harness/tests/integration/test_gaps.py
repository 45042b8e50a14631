# SPDX-License-Identifier: Apache-2.0
"""Nobody looked for a while, or a slow probe failed: a gap, which is recorded, listed and drawn as one; never as 0, -1, or what was before."""

import json
import os
import signal
import subprocess
import time

import pytest

from conftest import ROOT, newest_campaign, slack_s, wait_until

STOPPED = 2.5  # s


@pytest.fixture
def stopped(build, tmp_path, scenario):
    """stopped(path, after) -> the campaign of a memtide that was stopped for 2.5 s, `after` s after its first run began, its words, and for
    how long it was stopped at most. after None: it stops itself."""

    def call(path, after, seconds=STOPPED):
        results = tmp_path / "results"
        memtide = subprocess.Popen(
            [build / "memtide", "run", path, "--out", results], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "MEMTIDE_HOME": str(ROOT)}, cwd=tmp_path,
        )
        wait_until(lambda: list(results.glob("*/default/1/samples.tsv.zst")))
        if after is None:
            wait_until(lambda: is_stopped(memtide.pid))
        else:
            time.sleep(after)
        since = time.monotonic()
        memtide.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        memtide.send_signal(signal.SIGCONT)
        most = time.monotonic() - since
        out, err = memtide.communicate(timeout=120)
        assert memtide.returncode == 0, err
        return newest_campaign(results), err, most

    return call


def is_stopped(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rsplit(")", 1)[1].split()[0] == "T"


def drawn_blocks(campaign):
    """Times of the drawn curve of RSS, in its pieces between empty lines."""
    text = next((campaign.path / "plots").rglob("curve-01-1.tsv")).read_text()
    curve = text.split("\n\n\n")[0]
    pieces = [[line for line in piece.splitlines() if line and not line.startswith("#")] for piece in curve.split("\n\n")]
    return [[float(line.split("\t")[0]) for line in piece] for piece in pieces if piece]


def check_gap(campaign, err, most):
    """There is one, in every place; returns it."""
    (run,) = campaign.runs()
    assert run["outcome"] == "ok"
    (gap,) = run["gaps"]
    assert gap["slow"] is False and "nobody looked" in gap["why"]
    assert STOPPED - 0.1 < gap["to_s"] - gap["from_s"] < most + 0.5 + slack_s()

    rows = campaign.samples()
    (begin,) = [i for i, row in enumerate(rows) if row[1] is None]
    assert rows[begin][1:] == (None, None)
    assert rows[begin][0] == pytest.approx(gap["from_s"], abs=1e-5) and rows[begin + 1][0] == pytest.approx(gap["to_s"], abs=1e-5)
    assert rows[begin - 1][0] < gap["from_s"] and min(row[1] for row in rows if row[1] is not None) > 0

    probes = subprocess.run(
        ["zstdcat", campaign.run_dir() / "probes.tsv.zst"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    silent = [row for row in probes if row.split("\t")[1:] == ["-"] * 9 + ["1"]]
    assert len(silent) == 1 and float(silent[0].split("\t")[0]) == pytest.approx(gap["from_s"], abs=1e-5)

    first, second = drawn_blocks(campaign)
    zero = next((m["t_s"] for m in run["marks"] if m["name"] == "dropped"), 0)
    assert first[-1] + zero == pytest.approx(gap["from_s"], abs=0.05) and second[0] + zero == pytest.approx(gap["to_s"], abs=0.05)

    assert "1 of 1 runs has a gap in which nobody looked" in err
    return gap


def test_a_stopped_memtide_leaves_a_gap(stopped, scenario, stimulus):
    campaign, err, most = stopped(scenario(command=[stimulus("alloc"), 20, 8000], run="timeout: 30s"), 1)
    check_gap(campaign, err, most)
    assert campaign.runs()[0]["sampling"]["missed"] > 2000
    metrics = campaign.runs()[0]["metrics"]
    assert 20 << 20 < metrics["settled_rss_bytes"] == pytest.approx(metrics["peak_rss_bytes"], abs=1 << 20)


def test_on_the_virtual_clock_too(stopped, scenario, stimulus, needs_root):
    """Skipped time is no gap, and what was not looked at is not what was skipped. The program works while memtide is stopped, which it does
    itself, so that it is in the midst of its work then."""
    work = "j=0; while [ $j -lt 60000 ]; do j=$((j+1)); done; [ $i != 10 ] || kill -STOP $PPID; sleep 30"
    loop = f"i=0; while [ $i -lt 20 ]; do i=$((i+1)); {work}; done"
    campaign, err, most = stopped(scenario(command=["sh", "-c", loop], run="timeout: 2000s, clock: virtual"), None)
    gap = check_gap(campaign, err, most)
    (run,) = campaign.runs()
    assert run["clock"]["kind"] == "virtual" and run["clock"]["ended"] is None and run["clock"]["skipped_s"] > 500
    assert gap["to_s"] < run["target_s"] - 30


def test_a_run_that_is_over_before_anybody_looks_again(stopped, scenario, stimulus):
    campaign, err, _ = stopped(scenario(command=[stimulus("alloc"), 20, 10000], run="for: 4s"), 1, seconds=5)
    (run,) = campaign.runs()
    (gap,) = run["gaps"]
    assert 0.5 < gap["from_s"] < 4 and gap["to_s"] == pytest.approx(run["target_s"], abs=0.01) and run["target_s"] > 5
    first, *last = drawn_blocks(campaign)
    assert first[-1] < gap["from_s"] + 0.05 and all(piece[0] > gap["to_s"] - 0.05 for piece in last)
    assert "settled_rss_bytes" not in run["metrics"] and "lazyfree_settled_bytes" not in run["metrics"]
    assert run["metrics"]["peak_rss_bytes"] > 20 << 20


def test_an_undisturbed_run_has_none(memtide, scenario, stimulus):
    done = memtide("run", scenario(command=[stimulus("alloc"), 20, 1500]))
    assert done.run()["gaps"] == [] and "gap" not in done.err
    assert None not in [row[1] for row in done.campaign.samples()]


BLIND = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

/* From the third time on, smaps_rollup cannot be opened. */
int open(const char *path, int flags, ...)
{
	static int (*real)(const char *, int, ...), times;
	va_list ap;

	if (!real)
		real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	if (strstr(path, "smaps_rollup") && ++times > 3) {
		errno = EMFILE;
		return -1;
	}
	va_start(ap, flags);
	int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;
	va_end(ap);
	return real(path, flags, mode);
}
"""


def test_slow_probes_that_fail_are_a_gap_of_their_own(memtide, scenario, stimulus, tmp_path, build):
    """What LazyFree was the last time does not hold to the end; the curve of RSS knows nothing of it."""
    if "-" in build.name:
        pytest.skip("prerequisite: a build without sanitizers, which want to be loaded first")
    (tmp_path / "blind.c").write_text(BLIND)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "blind.so", tmp_path / "blind.c", "-ldl"], check=True)
    path = scenario(command=[stimulus("alloc"), 20, 4000], run="for: 4s")
    done = memtide("run", path, env={"LD_PRELOAD": str(tmp_path / "blind.so")}, plot=True)
    assert done.code == 0, done.err
    run = done.run()
    (gap,) = run["gaps"]
    assert gap["slow"] is True and "smaps_rollup" in gap["why"]
    assert 0.1 < gap["from_s"] < 3 and gap["to_s"] == run["target_s"]
    assert "nobody looked" in run["missing"]["lazyfree_settled_bytes"] and "thp_settled_bytes" not in run["metrics"]
    assert run["metrics"]["settled_rss_bytes"] > 20 << 20 and run["metrics"]["threads_settled"] == 1
    assert len(drawn_blocks(done.campaign)) == 1
    assert "1 of 1 runs has a gap in LazyFree" in done.err


def test_show_says_it_of_many_runs(memtide, copy_of_recorded):
    runs = sorted(copy_of_recorded.path.glob("*/*/run.json"))
    for n, path in enumerate(runs[:3]):
        run = json.loads(path.read_text())
        run["gaps"] = [{"from_s": 0.1, "to_s": 1.5 + n, "slow": False, "why": "x"}, {"from_s": 5, "to_s": 5.5, "slow": False, "why": "x"}]
        path.write_text(json.dumps(run))
    done = memtide("show", copy_of_recorded.path)
    assert "3 of 4 runs have a gap in which nobody looked: the longest is 3.40 s, at 0.1 s of" in done.err
