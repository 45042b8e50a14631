# SPDX-License-Identifier: Apache-2.0
"""A Go library (-buildmode=c-shared) that a program of C has loaded: its runtime is read as a Go program's is."""

import json
import subprocess

import pytest
from conftest import newest_campaign
from live_go import SOURCES, goroots, run_go
from live_service import attach  # noqa: F401: a fixture

HOLDS = 60  # MB; holds.go


@pytest.fixture(scope="module")
def loaded(build, toolchains, tmp_path_factory):
    """loaded(99, "-ldflags=-w") -> the library of a release; loaded.loader loads the libraries that it is told, after a while."""
    folder = tmp_path_factory.mktemp("library")
    here = goroots(build)
    (folder / "loader.c").write_text(
        """
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	usleep((unsigned)atoi(argv[1]) * 1000);
	for (int i = 2; i < argc; i++) {
		void *library = dlopen(argv[i], RTLD_NOW);
		void (*start)(void) = library ? (void (*)(void))dlsym(library, "Start") : 0;

		if (!start)
			return 1;
		start();
		(void)!write(1, "x", 1);
	}
	sleep(60);
	return 0;
}
"""
    )

    def make(release, *flags, name="holds"):
        release = min(release, max(here))
        out = folder / f"{name}-{release}{''.join(flags).replace(' ', '')}.so"
        if not out.exists():
            run_go(
                here[release], folder, SOURCES / "library", "build", "-buildmode=c-shared", *flags, "-o", out, ".",
                cgo=True, CGO_CFLAGS="-g -O2 -gdwarf-4",
            )  # fmt: skip
        return out

    make.loader = folder / "loader"
    subprocess.run(["gcc", "-o", make.loader, folder / "loader.c", "-ldl"], check=True)
    return make


class Loader:
    """A program of C that has loaded libraries."""

    def __init__(self, loaded, *libraries):
        self.process = subprocess.Popen([loaded.loader, "0", *libraries], stdout=subprocess.PIPE)
        for _ in libraries:
            assert self.process.stdout.read(1) == b"x"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self, build, probe, *args):
        done = subprocess.run([build / "probe" / probe, *args, str(self.process.pid)], capture_output=True, text=True, timeout=60)
        return json.loads(done.stdout)


@pytest.mark.parametrize("release", [12, 16, 22, 99])
@pytest.mark.parametrize("flags", [[], ["-ldflags=-w"]])
def test_counters_and_split(build, loaded, release, flags):
    with Loader(loaded, loaded(release, *flags)) as c:
        look = c.ask(build, "gopeek")
        assert look["look"] == "ok" and look["source"] == ("symbols" if flags else "dwarf")
        assert HOLDS << 20 <= look["heap_inuse_bytes"] <= (HOLDS + 8) << 20 and look["gc_count"] >= 1
        split = c.ask(build, "gosplit")
        assert split["result"] == 0 and abs(split["sum"] - split["statm"]) <= max(1 << 20, split["statm"] / 200)
        assert HOLDS << 20 <= split["objects"] <= (HOLDS + 8) << 20


def test_a_library_that_is_gone_from_disk(build, loaded, tmp_path, needs_root):
    library = tmp_path / "gone.so"
    library.write_bytes(loaded(99).read_bytes())
    with Loader(loaded, library) as c:
        library.unlink()
        assert c.ask(build, "gopeek")["heap_inuse_bytes"] >= HOLDS << 20


def test_another_file_in_its_place(build, loaded, tmp_path):
    """What is mapped is what is read, or nothing."""
    library = tmp_path / "upgraded.so"
    library.write_bytes(loaded(99).read_bytes())
    with Loader(loaded, library) as c:
        library.unlink()
        library.write_bytes(loaded(16).read_bytes())
        answer = c.ask(build, "gopeek")
        assert answer.get("refused") == "not go" or answer["version"].startswith(f"go1.{max(goroots(build))}")


def test_two_of_them(build, loaded):
    """Whose a value would be cannot be told."""
    with Loader(loaded, loaded(99), loaded(99, name="other")) as c:
        answer = c.ask(build, "gopeek")
        assert answer["refused"] == "not go" and "more than one Go library" in answer["text"]


def test_stripped(build, loaded):
    with Loader(loaded, loaded(99, "-ldflags=-s -w")) as c:
        answer = c.ask(build, "gopeek")
        assert answer["refused"] == "layout" and "holds-" in answer["text"] and "neither debug information nor symbols" in answer["text"]


def test_loaded_while_it_is_recorded(memtide, loaded, tmp_path):
    """It is not Go when it begins, and loads the library later."""
    memtide("record", "--for", "4s", "--no-plot", "--out", tmp_path / "results", "--", loaded.loader, "500", loaded(99))
    campaign = newest_campaign(tmp_path / "results")
    run = campaign.runs()[0]
    assert run["runtime"]["read"] and run["mechanism"] == "live-heap", run["runtime"]
    groups = json.loads((campaign.run_dir() / "goroutines.json").read_text())["snapshots"][-1]["groups"]
    assert [g["count"] for g in groups if g["function"] == "main.Start"] == [3]


def test_attached(attach, loaded):  # noqa: F811
    with Loader(loaded, loaded(99)) as c:
        done = attach(c.process.pid, "--for", "2s")
        assert "Its program is not Go" in done.stderr and "holds-" in done.stderr
        assert attach.run["mechanism"] == "live-heap"
