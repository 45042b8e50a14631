# SPDX-License-Identifier: Apache-2.0
"""FORMAT.md is true: what it says of the results folder is so in the folder of a real campaign, and the other way round."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import ROOT, Campaign, newest_campaign, slack_s

FORMAT = (ROOT / "harness/record/FORMAT.md").read_text()
FIRST = "env=default"  # the first cell of the recorded campaign


def section(title):
    """The text below a heading, up to the next heading of whatever level."""
    found = re.search(rf"^#+ {re.escape(title)}.*?\n(.*?)(?=^#+ |\Z)", FORMAT, re.M | re.S)
    assert found, f"FORMAT.md has no section '{title}'"
    return found.group(1)


def first_column(title):
    """The names in backquotes in the first column of a section's table."""
    rows = [line for line in section(title).splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def keys_of(title, key):
    """The keys that a row of the table says an object has: its backquoted words before any that explain a value."""
    row = next(line for line in section(title).splitlines() if line.startswith("|") and f"`{key}`" in line.split("|")[1])
    return row.split("|", 3)[3]


def series(run_dir, name):
    """Comment lines, and rows as lists of text."""
    text = subprocess.run(["zstdcat", run_dir / name], capture_output=True, check=True, text=True).stdout
    lines = text.splitlines()
    return [line for line in lines if line[0] == "#"], [line.split("\t") for line in lines if line[0] != "#"]


@pytest.fixture
def a_run(recorded):
    return json.loads((recorded.run_dir(FIRST) / "run.json").read_text())


# ---- JSON


def test_run_json_has_the_keys_of_the_table(a_run):
    assert sorted(a_run) == sorted(first_column("run.json"))


def test_a_run_of_a_built_program_has_them_too(memtide, toolchains, scenario):
    """And one that was never started."""
    axes = "axes: {go: [1.11, 1.16], godebug: [default, madvdontneed=1]}"
    path = scenario(program="allocate", run="for: 1s", extra=f'args: [-sizes, "10MB"]\n{axes}')
    done = memtide("run", path)
    assert done.code == 0, done.err
    every = [json.loads(p.read_text()) for p in done.campaign.path.glob("*/*/run.json")]
    assert len(every) == 4 and sorted(r["outcome"] for r in every) == 2 * ["not-applicable"] + 2 * ["ok"]
    for run in every:
        assert sorted(run) == sorted(first_column("run.json"))
        assert run["format"] == "memtide-run/1"
        assert sorted(run["go"]) == ["line", "version"]
        assert sorted(run["program"]) == ["default_godebug", "flags", "kind", "name", "sha256"]
        if run["outcome"] != "not-applicable":
            assert re.fullmatch("[0-9a-f]{64}", run["program"]["sha256"])
            continue
        assert run["why"] and run["metrics"] == {} and run["marks"] == [] and run["expectations"] == []
        assert run["clock"]["kind"] == done.campaign.info["clock"] and run["clock"]["jumps"] is None
        for key in ("wall_s", "target_s", "exit_code", "signal", "ended_by", "oom_kills", "sampling", "mechanism"):
            assert run[key] is None, key


def test_the_objects_in_run_json(a_run):
    text = section("run.json")
    host = re.search(r"^`host`: (.*?)\n\n", text, re.M | re.S).group(1)
    assert sorted(a_run["host"]) == sorted(re.findall(r"`([a-z_]+)`", host))
    sampling = re.search(r"^`sampling`: (.*?)\n\n", text, re.M | re.S).group(1)
    quantiles = ["p50", "p99", "max"]
    told = {name for name in re.findall(r"`([a-z_0-9]+)`", sampling)} - {"fifo", "other", *quantiles}
    assert set(a_run["sampling"]) == told
    assert sorted(a_run["sampling"]["lateness_us"]) == sorted(quantiles)
    assert sorted(a_run["cgroup"]) == ["limit_bytes", "version"]
    clock = re.search(r"^`clock`: (.*?)\n\n", text, re.M | re.S).group(1)
    told = set(re.findall(r"`([a-z_]+)`", clock)) - {"real", "virtual", "t_s", "why"}
    assert set(a_run["clock"]) == told
    assert a_run["load"] is None
    assert all(sorted(m) == ["by", "name", "t_s"] for m in a_run["marks"]) and a_run["marks"]


def test_the_real_clock_jumps_never(a_run, recorded):
    assert a_run["clock"] == {
        "kind": "real", "jumps": 0, "skipped_s": 0.0, "largest_jump_s": None, "wakes": 0, "kernel_timers": "real", "ended": None,
    }
    assert recorded.info["clock"] == "real" and recorded.info["clock_strict"] is False


def test_a_load_has_the_keys_that_are_told(memtide, scenario, stimulus):
    """Whatever became of it. The words are the scenario's: of two runs on two ports they are the same."""
    path = scenario(
        command=[stimulus("misbehave"), "exit", 0, "127.0.0.1:{port}"], run="timeout: 20s, repeat: 2",
        extra='load: {command: [sleep, "0", "{port}"]}',
    )
    runs = memtide("run", path).runs()
    told = re.search(r"^`load`: (.*?)\n\n", section("run.json"), re.M | re.S).group(1)
    assert len(runs) == 2
    for run in runs:
        assert sorted(run["load"]) == sorted(set(re.findall(r"`([a-z_]+)`", told)) - {"real", "virtual", "for_s"})
        assert run["load"]["command"].endswith("/sleep") and run["load"]["args"] == ["0", "{port}"]
        assert run["load"]["clock"] == "real"
        assert run["args"][-1] == "127.0.0.1:{port}"
        assert "MEMTIDE_PORT" not in run["env"]


def test_the_port_is_a_number_that_is_the_runs_own(memtide, scenario):
    """The same in the arguments and in the environment."""
    path = scenario(
        command=["sh", "-c", 'echo "$1 $MEMTIDE_PORT"; sleep 0.3', "sh", "port={port},{port}"], run="timeout: 20s, repeat: 3",
    )
    done = memtide("run", path)
    assert done.code == 0, done.err
    said = [(done.campaign.run_dir(repeat=n) / "stdout").read_text() for n in (1, 2, 3)]
    ports = [re.fullmatch(r"port=(\d+),\1 \1\n", text).group(1) for text in said]
    assert len(set(ports)) == 3 and all(1024 <= int(p) <= 65535 for p in ports)


def test_no_port_where_nobody_asks_for_one(memtide, scenario):
    done = memtide("run", scenario(command=["sh", "-c", "echo ${MEMTIDE_PORT-none}"]))
    assert (done.campaign.run_dir() / "stdout").read_text() == "none\n"


def test_a_metric_is_measured_or_missing_with_a_reason(a_run):
    listed = first_column("Metrics")
    assert sorted([*a_run["metrics"], *a_run["missing"]]) == sorted(listed)
    assert all(isinstance(why, str) and why for why in a_run["missing"].values())
    assert a_run["metrics"]["peak_rss_bytes"] > 20 << 20


def test_outcomes_and_mechanisms_are_those_of_the_lists(a_run):
    assert a_run["outcome"] in first_column("Outcomes")
    assert a_run["mechanism"] in re.findall(r"`([a-z-]+)`", section("Mechanisms"))


def test_campaign_json_has_the_keys_of_the_table(recorded):
    assert sorted(recorded.info) == sorted(first_column("campaign.json"))
    text = {key: keys_of("campaign.json", key) for key in ("cells", "selftest", "options")}
    for cell in recorded.info["cells"]:
        assert sorted(cell) == sorted(re.findall(r"`([a-z_]+)`", text["cells"]))
    assert sorted(recorded.info["selftest"]) == sorted(re.findall(r"`([a-z_]+)`", text["selftest"]))
    told = set(re.findall(r"`([a-z_]+)`", text["options"]))
    assert set(recorded.info["options"]) == told
    assert recorded.info["name"] == recorded.path.name
    assert recorded.info["format"] == "memtide-campaign/1"


def test_keys_are_sorted_and_the_text_is_utf_8(recorded):
    for path in [recorded.path / "campaign.json", recorded.run_dir(FIRST) / "run.json"]:

        def is_sorted(pairs):
            names = [name for name, _ in pairs]
            assert names == sorted(names), path
            return dict(pairs)

        json.loads(path.read_bytes().decode("utf-8"), object_pairs_hook=is_sorted)


def test_the_folder_holds_what_is_listed_and_no_more(recorded):
    per_run = ["marks.tsv", "probes.tsv.zst", "run.json", "samples.tsv.zst", "stderr", "stdout"]
    cells = sorted(c["id"] for c in recorded.info["cells"])
    assert sorted(p.name for p in recorded.path.iterdir()) == ["campaign.json", *cells, "scenario.yaml"]
    for cell in recorded.info["cells"]:
        for repeat in (1, 2):
            assert sorted(p.name for p in recorded.run_dir(cell["id"], repeat).iterdir()) == per_run
    given = recorded.path.parents[1] / "small.yaml"
    assert (recorded.path / "scenario.yaml").read_bytes() == given.read_bytes()


# ---- series


@pytest.mark.parametrize("name", ["samples", "probes"])
def test_comments_name_the_format_the_columns_and_their_units(recorded, name):
    comments, rows = series(recorded.run_dir(FIRST), f"{name}.tsv.zst")
    columns = first_column(f"{name}.tsv.zst")
    assert comments[0] == f"# memtide-{name}/1"
    assert comments[1].lstrip("# ").split("\t") == columns
    assert len(comments[2].lstrip("# ").split("\t")) == len(columns)
    assert rows and all(len(row) == len(columns) for row in rows)
    for row in rows:
        assert re.fullmatch(r"\d+\.\d{6}", row[0])
        for column, value in zip(columns[1:], row[1:]):
            assert re.fullmatch(r"-|\d+" if not column.endswith("_s") else r"-|\d+\.\d+", value), (column, value)


def test_samples_are_stored_on_change_and_once_a_second(memtide, scenario, stimulus):
    done = memtide("run", scenario(command=[stimulus("alloc"), 20, 2500, "drop"]))
    assert done.code == 0, done.err
    rows = done.campaign.samples()
    run = done.run()
    times = [t for t, _, _ in rows]
    assert times == sorted(times) and len(set(times)) == len(times)
    # Who looks may have had no CPU for a while.
    assert times[0] < 0.4 + slack_s()
    assert times[-1] <= run["target_s"]
    changed = [a[1:] != b[1:] for a, b in zip(rows, rows[1:])]
    gaps = [b - a for a, b in zip(times, times[1:])]
    for gap, change in zip(gaps, changed):
        assert change or 0.99 <= gap, "a row that says nothing new, before its second is over"
    assert run["target_s"] - times[-1] < 1.4 + slack_s() and max(gaps) < 1.4 + slack_s(), "a silence longer than a second"
    assert changed.count(False) >= 3
    assert len(rows) <= run["sampling"]["samples"]


def test_probes_have_both_kinds_of_rows(recorded):
    columns = first_column("probes.tsv.zst")
    every = []
    for run in [recorded.run_dir(c["id"], repeat) for c in recorded.info["cells"] for repeat in (1, 2)]:
        rows = [dict(zip(columns, row)) for row in series(run, "probes.tsv.zst")[1]]
        fast = [r for r in rows if r["lazyfree_bytes"] == "-"]
        slow = [r for r in rows if r["lazyfree_bytes"] != "-"]
        every.append((len(slow), rows, fast, slow))
    # On a busy machine a look may come so late that it is one of two marks.
    n, rows, fast, slow = max(every, key=lambda run: run[0])
    assert n >= 2, "after `loaded` and after `dropped`; `load` is but a moment before `loaded`"
    assert fast and slow
    assert all(int(r["pss_bytes"]) > 0 for r in slow)
    assert any(int(r["hwm_bytes"]) >= 20 << 20 for r in rows)
    assert all(r["threads"] == "1" for r in fast)


def test_marks_are_those_of_run_json(recorded, a_run):
    lines = (recorded.run_dir(FIRST) / "marks.tsv").read_text().splitlines()
    assert lines[0] == "# memtide-marks/1" and lines[1].lstrip("# ").split("\t") == ["t_s", "name", "by"]
    rows = [line.split("\t") for line in lines if line[0] != "#"]
    assert [r[1] for r in rows] == ["load", "loaded", "dropped"] == [m["name"] for m in a_run["marks"]]
    assert {r[2] for r in rows} == {"program"}
    times = [float(r[0]) for r in rows]
    assert times == sorted(times)
    assert all(abs(t - m["t_s"]) < 1e-5 for t, m in zip(times, a_run["marks"]))


def test_metrics_follow_from_the_series_by_their_definitions(recorded):
    """Computed again from the files alone, as FORMAT.md defines them."""
    for cell in recorded.info["cells"]:
        run_dir = recorded.run_dir(cell["id"])
        run = json.loads((run_dir / "run.json").read_text())
        rows = recorded.samples(cell["id"])
        metrics = run["metrics"]
        end = run["target_s"]
        hwm = max(int(row[3]) for row in series(run_dir, "probes.tsv.zst")[1] if row[3] != "-")
        peak = max(max(rss for _, rss, _ in rows), hwm)
        # The last VmHWM read need not be in a row of the series.
        assert peak <= metrics["peak_rss_bytes"] <= peak + (256 << 10)
        assert metrics["settled_rss_bytes"] == weighted_median(rows, 0.9 * end, end)
        first = run["marks"][0]["t_s"]
        assert metrics["baseline_rss_bytes"] == weighted_median(rows, 0, first)
        dropped = next(m["t_s"] for m in run["marks"] if m["name"] == "dropped")
        low = metrics["baseline_rss_bytes"] + 0.1 * (metrics["peak_rss_bytes"] - metrics["baseline_rss_bytes"])
        assert metrics["first_fall_s"] == pytest.approx(first_below(rows, dropped, 0.95 * metrics["peak_rss_bytes"]), abs=2e-6)
        assert metrics["release_s"] == pytest.approx(first_below(rows, dropped, low), abs=2e-6)
        given_back = metrics["peak_rss_bytes"] - metrics["settled_rss_bytes"]
        loaded = metrics["peak_rss_bytes"] - metrics["baseline_rss_bytes"]
        assert metrics["released_share"] == pytest.approx(given_back / loaded)


def weighted_median(rows, start, end):
    spans = {}
    for (t, rss, _), following in zip(rows, [*[r[0] for r in rows[1:]], end]):
        length = min(following, end) - max(t, start)
        if length > 0:
            spans[rss] = spans.get(rss, 0) + length
    half, so_far = sum(spans.values()) / 2, 0
    for rss in sorted(spans):
        so_far += spans[rss]
        if so_far >= half:
            return rss
    return None


def first_below(rows, start, bytes_):
    held = [row for row in rows if row[0] <= start][-1:]
    return next(max(t, start) - start for t, rss, _ in [*held, *[row for row in rows if row[0] > start]] if rss <= bytes_)


def test_the_readers_of_the_page_work(recorded, tmp_path):
    """The commands at its end, as they stand."""
    run_dir = recorded.run_dir(FIRST)
    python = re.search(r"    import subprocess\n.*?    print\(.*?\n", FORMAT, re.S).group(0)
    python = "\n".join(line[4:] for line in python.splitlines()).replace("RUN/", f"{run_dir}/")
    done = subprocess.run(["/usr/bin/python3", "-c", python], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and re.fullmatch(r"[\d.]+ MB\n", done.stdout), done.stderr
    if not shutil.which("jq"):
        pytest.skip("prerequisite: jq")
    for filter_ in re.findall(r"^    jq -r '([^']+)'", FORMAT, re.M):
        done = subprocess.run(["jq", "-r", filter_, run_dir / "run.json"], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0 and done.stdout, done.stderr


# ---- export


def test_export_csv(memtide, recorded):
    done = memtide("export", recorded.path, "--format", "csv")
    assert done.code == 0 and done.err == ""
    rows = list(csv.DictReader(io.StringIO(done.out)))
    listed = first_column("Metrics")
    header = done.out.splitlines()[0].split(",")
    assert header[:5] == ["campaign", "env", "repeat", "go_version", "outcome"] and sorted(header[5:]) == sorted(listed)
    assert "\r" not in done.out and len(rows) == 4
    for row in rows:
        run = json.loads((recorded.run_dir(f"env={row['env']}", row["repeat"]) / "run.json").read_text())
        assert row["campaign"] == recorded.path.name and row["outcome"] == run["outcome"] and row["go_version"] == ""
        for name in listed:
            if name not in run["metrics"]:
                assert row[name] == ""
            elif isinstance(run["metrics"][name], list):
                assert json.loads(row[name]) == pytest.approx(run["metrics"][name])
            else:
                assert float(row[name]) == pytest.approx(run["metrics"][name], rel=1e-9)


def test_export_json(memtide, recorded):
    done = memtide("export", recorded.path, "--format", "json")
    assert done.code == 0
    all_ = json.loads(done.out)
    assert sorted(all_) == ["campaign", "format", "runs", "verdicts"] and all_["format"] == "memtide-export/1"
    assert all_["campaign"] == recorded.info and len(all_["runs"]) == 4
    for run in all_["runs"]:
        on_disk = json.loads((recorded.path / run["dir"] / "run.json").read_text())
        assert run == {**on_disk, "cell_id": run["cell_id"], "dir": run["dir"]}
        assert run["dir"] == f"{run['cell_id']}/{run['repeat']}"


def test_export_to_a_file_is_the_same(memtide, recorded, tmp_path):
    for format_ in ("csv", "json"):
        done = memtide("export", recorded.path, "--format", format_, "--output", tmp_path / "out")
        assert done.code == 0 and done.out == ""
        assert (tmp_path / "out").read_text() == memtide("export", recorded.path, "--format", format_).out


# ---- campaigns that did not come to their end


@pytest.fixture
def killed(memtide, scenario, stimulus):
    """A campaign of two repeats whose memtide was killed during the second; the scenario's path and the campaign."""
    path = scenario(command=[stimulus("alloc"), 10, 1500], run="timeout: 20s, repeat: 2")
    command = [memtide.binary, "run", path, "--no-plot", "--jobs", "1", "--seed", "7", "--out", memtide.results]
    env = {**os.environ, "MEMTIDE_HOME": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    end = time.monotonic() + 30

    def flushed():
        """The second run has begun, and some of it can be read from outside."""
        folders = [p.parent for p in memtide.results.glob("*/default/*/samples.tsv.zst")]
        unfinished = [p for p in folders if not (p / "run.json").exists()]
        return len(folders) == 2 and any((p / "samples.tsv.zst").stat().st_size > 0 for p in unfinished)

    try:
        while not flushed():
            assert time.monotonic() < end and process.poll() is None, "the second run was never seen"
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    memtide("doctor", "--clean")
    return path, newest_campaign(memtide.results)


def test_an_unfinished_run_is_told_and_can_be_read(memtide, killed, needs_root):
    _, campaign = killed
    unfinished = [p for p in campaign.path.glob("default/*") if not (p / "run.json").exists()]
    assert len(unfinished) == 1 and campaign.info["finished"] is None
    text = subprocess.run(["zstdcat", unfinished[0] / "samples.tsv.zst"], capture_output=True, text=True).stdout
    assert text.startswith("# memtide-samples/1\n")
    shown = memtide("show", campaign.path)
    assert shown.code == 0 and "interrupted" in shown.out
    assert "1 run has no final record" in shown.err and "--resume" in shown.err
    exported = json.loads(memtide("export", campaign.path, "--format", "json").out)
    (run,) = [r for r in exported["runs"] if r["outcome"] == "interrupted"]
    assert sorted(run) == ["cell", "cell_id", "dir", "outcome", "repeat", "why"]
    rows = list(csv.DictReader(io.StringIO(memtide("export", campaign.path, "--format", "csv").out)))
    (row,) = [r for r in rows if r["outcome"] == "interrupted"]
    assert row["peak_rss_bytes"] == "", "missing is empty, not zero"


def test_resume_does_the_unfinished_run_and_only_that(memtide, killed, needs_root):
    path, campaign = killed
    finished = next(campaign.path.glob("default/*/run.json"))
    before = finished.read_bytes()
    done = memtide("run", path, "--resume")
    assert done.code == 0, done.err
    assert "1 of 2 runs left" in done.err
    assert len(list(memtide.results.iterdir())) == 1
    assert finished.read_bytes() == before
    after = Campaign(campaign.path)
    assert [r["outcome"] for r in after.runs()] == ["ok", "ok"]
    assert after.info["finished"]
    for key in ("seed", "order", "started", "options"):
        assert after.info[key] == campaign.info[key], key
    for run in after.runs():
        assert max(rss for _, rss, _ in after.samples("default", run["repeat"])) > 10 << 20


def test_resume_with_nothing_left(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), 10, 100])
    first = memtide("run", path)
    before = first.campaign.run_dir().joinpath("run.json").read_bytes()
    done = memtide("run", path, "--resume")
    assert done.code == 0 and "0 of 1 runs left" in done.err
    assert first.campaign.run_dir().joinpath("run.json").read_bytes() == before
    assert len(list(memtide.results.iterdir())) == 1


def test_resume_of_a_changed_scenario_is_refused(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), 10, 100])
    first = memtide("run", path)
    path.write_text(path.read_text() + "# changed\n")
    done = memtide("run", path, "--resume")
    assert done.code == 2 and "no longer what it was" in done.err and "start a new campaign" in done.err
    assert done.out == "" and len(list(memtide.results.iterdir())) == 1
    assert memtide("show", first.campaign.path).code == 0


def test_resume_takes_no_other_plan(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), 10, 100])
    memtide("run", path)
    for options in (["--repeat", "3"], ["--set", "env=A=1"], ["--limit", "1GB"], ["--for", "1s"]):
        done = memtide("run", path, "--resume", *options)
        assert done.code == 2 and "--resume" in done.err, options


def test_resume_where_there_is_no_campaign(memtide, scenario, stimulus):
    memtide.results.mkdir()
    done = memtide("run", scenario(command=[stimulus("alloc"), 10, 100]), "--resume")
    assert done.code == 2 and "no campaign of test" in done.err


def test_resume_goes_on_with_the_options_it_began_with(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("alloc"), 10, 100])
    first = memtide("run", path, "--set", "env=A=1,A=2", "--repeat", "2", "--rate", "500", "--seed", "9")
    shutil.rmtree(first.campaign.run_dir("env=A=2", 2))
    done = memtide("run", path, "--resume")
    assert done.code == 0 and "1 of 4 runs left" in done.err
    again = json.loads((first.campaign.run_dir("env=A=2", 2) / "run.json").read_text())
    assert again["outcome"] == "ok" and again["sampling"]["rate_hz"] == 500 and again["env"]["A"] == "2"


# ---- folders and order


def test_campaigns_within_one_second_have_folders_of_their_own(memtide, scenario, stimulus):
    path = scenario(command=[stimulus("misbehave"), "exit", 0])
    for _ in range(4):
        assert memtide("run", path).code == 0
    folders = list(memtide.results.iterdir())
    assert len(folders) == 4 and all(Campaign(f).info["name"] == f.name for f in folders)


def order_in(memtide, path, folder, *options):
    done = memtide("run", path, "--set", "env=A=1,A=2,A=3", "--repeat", "4", "--out", folder, *options)
    assert done.code == 0, done.err
    return newest_campaign(folder).info


def test_the_seed_gives_the_order_again(memtide, scenario, stimulus, tmp_path):
    path = scenario(command=[stimulus("misbehave"), "exit", 0])
    one, same, other, drawn = (
        order_in(memtide, path, tmp_path / name, *options)
        for name, options in [("a", ["--seed", "7"]), ("b", ["--seed", "7"]), ("c", ["--seed", "8"]), ("d", [])]
    )
    assert one["seed"] == "7" and one["order"] == same["order"]
    assert other["order"] != one["order"]
    again = order_in(memtide, path, tmp_path / "e", "--seed", drawn["seed"])
    assert again["order"] == drawn["order"], "a drawn seed is recorded, and gives its order again"


def test_repeats_are_interleaved(memtide, scenario, stimulus, tmp_path):
    """A block has each cell once, so that drift hits all alike; every run is there once."""
    info = order_in(memtide, scenario(command=[stimulus("misbehave"), "exit", 0]), tmp_path / "results", "--seed", "7")
    cells = sorted(c["id"] for c in info["cells"])
    blocks = [info["order"][i : i + 3] for i in range(0, 12, 3)]
    assert len(info["order"]) == 12 and len({tuple(run) for run in info["order"]}) == 12
    assert [sorted(cell for cell, _ in block) for block in blocks] == 4 * [cells]
    assert [sorted(repeat for _, repeat in block) for block in blocks] == [3 * [n] for n in (1, 2, 3, 4)]
    assert len({tuple(cell for cell, _ in block) for block in blocks}) > 1, "not the same order in each block"


def test_runs_start_in_that_order(memtide, scenario, stimulus, tmp_path):
    path = scenario(command=[stimulus("misbehave"), "exit", 0])
    folder = tmp_path / "results"
    done = memtide("run", path, "--set", "env=A=1,A=2,A=3", "--repeat", "3", "--jobs", "1", "--out", folder)
    assert done.code == 0, done.err
    campaign = newest_campaign(folder)
    ended = sorted(campaign.path.glob("*/*/run.json"), key=lambda p: p.stat().st_mtime_ns)
    assert [[p.parts[-3], int(p.parts[-2])] for p in ended] == campaign.info["order"]
