# SPDX-License-Identifier: Apache-2.0
"""memtide plot --overlay: what Prometheus or a CSV file says of the same time, laid over a run's figures."""

import json
import re
import shutil

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("gnuplot"), reason="prerequisite: gnuplot-nox")

MB = 1 << 20
STARTED = 1795262400  # 2026-11-21T12:00:00Z


@pytest.fixture
def run(copy_of_recorded):
    """The only run of its campaign; 100 s."""
    first, *others = sorted(copy_of_recorded.path.glob("*/*/run.json"))
    for other in others:
        shutil.rmtree(other.parent)
    set_run(first.parent, started="2026-11-21T12:00:00Z", target_s=100.0)
    return first.parent


def set_run(path, **values):
    info = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**info, **values}))


@pytest.fixture
def matrix(tmp_path):
    def write(*series, name="series.json", **data):
        result = [{"metric": labels, "values": [[t, str(v)] for t, v in values]} for labels, values in series]
        path = tmp_path / name
        path.write_text(json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result, **data}}))
        return path

    return write


def within(step=10, value=5 * MB):
    return [(STARTED + t, value) for t in range(-50, 150, step)]


def variables(campaign):
    return (campaign.path / "plots/data/figure.gp").read_text()


def refused(done, *words):
    assert done.code == 2, (done.code, done.out, done.err)
    for word in words:
        assert word in done.err, done.err


def test_a_matrix_lies_over_the_run(memtide, copy_of_recorded, run, matrix):
    values = within()
    values[8] = (values[8][0], "NaN")
    path = matrix(({"__name__": "rss_bytes", "pod": "a"}, values), ({"__name__": "rss_bytes", "pod": "b"}, within(value=7 * MB)))
    done = memtide("plot", copy_of_recorded.path, "--overlay", path)
    assert done.code == 0, done.err
    text = variables(copy_of_recorded)
    assert "n_overlays = 2\n" in text and "'rss_bytes {pod=a}', 'rss_bytes {pod=b}'" in text
    rows = (copy_of_recorded.path / "plots/data/overlay-01.tsv").read_text().splitlines()[1:]
    assert rows[0] == f"-50.000000\t{5 * MB}" and rows[5] == f"0.000000\t{5 * MB}"
    assert rows[8] == "", "a value that is none is a gap"


def test_csv_and_a_name_of_ones_own(memtide, copy_of_recorded, run, tmp_path):
    path = tmp_path / "my:series.csv"
    path.write_text("time,value\n2026-11-21T12:00:10Z,1000000\n2026-11-21T14:00:20+02:00,2000000\n")
    done = memtide("plot", copy_of_recorded.path, "--overlay", path, "--overlay", f"{path}:the node's agent")
    assert done.code == 0, done.err
    assert "'my:series.csv', 'the node''s agent'" in variables(copy_of_recorded)
    assert "10.000000\t1000000\n20.000000\t2000000\n" in (copy_of_recorded.path / "plots/data/overlay-02.tsv").read_text()


def test_drawn_again_without_it_is_gone(memtide, copy_of_recorded, run, matrix):
    memtide("plot", copy_of_recorded.path, "--overlay", matrix(({"__name__": "x_bytes"}, within())))
    assert (copy_of_recorded.path / "plots/data/overlay-01.tsv").exists()
    assert memtide("plot", copy_of_recorded.path).code == 0
    assert "n_overlays = 0\n" in variables(copy_of_recorded)
    assert not (copy_of_recorded.path / "plots/data/overlay-01.tsv").exists()


def test_a_high_one_raises_the_axis_and_a_far_higher_one_leaves_the_figure(memtide, copy_of_recorded, run, matrix):
    def top():
        return float(re.search(r"^y_max_bytes = (\S+)$", variables(copy_of_recorded), re.M)[1])

    memtide("plot", copy_of_recorded.path)
    alone = top()
    memtide("plot", copy_of_recorded.path, "--overlay", matrix(({"__name__": "x_bytes"}, within(value=int(1.5 * alone)))))
    assert top() > 1.5 * alone
    memtide("plot", copy_of_recorded.path, "--overlay", matrix(({"__name__": "x_bytes"}, within(value=int(100 * alone)))))
    assert top() == alone
    assert "above the figure" in variables(copy_of_recorded)


def test_no_value_within_the_run(memtide, copy_of_recorded, run, matrix):
    path = matrix(({"__name__": "x_bytes"}, [(STARTED + 3600 + t, MB) for t in range(5)]))
    refused(
        memtide("plot", copy_of_recorded.path, "--overlay", path),
        "no value within the run", "2026-11-21T13:00:00Z to 2026-11-21T13:00:04Z", "2026-11-21T12:00:00Z to 2026-11-21T12:01:40Z", "--overlay-from",
    )
    assert not (copy_of_recorded.path / "plots").exists(), "nothing was drawn"
    done = memtide("plot", copy_of_recorded.path, "--overlay", path, "--overlay-from", "2026-11-21T13:00:00Z")
    assert done.code == 0, done.err
    assert (copy_of_recorded.path / "plots/data/overlay-01.tsv").read_text().splitlines()[1] == f"0.000000\t{MB}"


def test_a_virtual_clock_needs_to_be_told(memtide, copy_of_recorded, run, matrix):
    info = json.loads((run / "run.json").read_text())
    set_run(run, clock={**info["clock"], "kind": "virtual"})
    path = matrix(({"__name__": "x_bytes"}, within()))
    refused(memtide("plot", copy_of_recorded.path, "--overlay", path), "clock was virtual", "--overlay-from")
    assert memtide("plot", copy_of_recorded.path, "--overlay", path, "--overlay-from", "2026-11-21T12:00:00Z").code == 0


def test_which_run(memtide, copy_of_recorded, matrix):
    path = matrix(({"__name__": "x_bytes"}, within()))
    refused(memtide("plot", copy_of_recorded.path, "--overlay", path), "has 4 runs", "--run CELL/REPEAT")
    refused(memtide("plot", copy_of_recorded.path, copy_of_recorded.path, "--overlay", path), "one DIR at a time")
    refused(memtide("plot", copy_of_recorded.path, "--run", "x/1"), "there is none")


@pytest.mark.parametrize(
    "text, words",
    [
        ("", ["neither JSON nor CSV"]),
        ("{", [":1:", "not JSON"]),
        ('{"status": "error", "errorType": "bad_data", "error": "parse error at char 3"}', ["parse error at char 3"]),
        ('{"data": {"resultType": "vector", "result": []}}', ["a vector, not a matrix", "query_range"]),
        ("time,value\n2026-11-21T12:00:10,1\n", [":2:", "no time zone"]),
        ("time,value\n1795262410000,1\n", ["not milliseconds"]),
        ("time;value\n", ["neither JSON nor CSV"]),
        ("\x00\x01", ["not text"]),
        ("time,value\n" + "".join(f"{t},1\n" for t in range(100_001)), ["more than 100000 points"]),
    ],
)
def test_files_that_are_none(memtide, copy_of_recorded, run, tmp_path, text, words):
    (tmp_path / "bad").write_text(text)
    refused(memtide("plot", copy_of_recorded.path, "--overlay", tmp_path / "bad"), "bad", *words)


def test_no_such_file(memtide, copy_of_recorded, run, tmp_path):
    refused(memtide("plot", copy_of_recorded.path, "--overlay", tmp_path / "none.json"), "none.json", "No such file")
    refused(memtide("plot", copy_of_recorded.path, "--overlay", tmp_path), str(tmp_path))


def test_several_files_have_an_end(memtide, copy_of_recorded, run, matrix):
    path = matrix(*(({"__name__": "x_bytes", "pod": str(i)}, within()) for i in range(4)))
    refused(memtide("plot", copy_of_recorded.path, "--overlay", path, "--overlay", path), "at most 6")
