# SPDX-License-Identifier: Apache-2.0
"""A Go service that obeys, and what `memtide attach` has recorded of it."""

import contextlib
import json
import os
import pathlib
import re
import subprocess

import pytest
from conftest import ROOT, newest_campaign, wait_until
from live_go import SOURCES, goroots, run_go


@pytest.fixture(scope="session")
def service_of(build, toolchains, tmp_path_factory):
    """service_of("1.16", "-ldflags=-s -w") -> path of the service's binary"""
    here = goroots(build)
    folder = tmp_path_factory.mktemp("service")
    folder.parent.chmod(0o755)
    folder.parent.parent.chmod(0o755)
    folder.chmod(0o755)

    def make(release="latest", *flags):
        goroot = here[max(here) if release == "latest" else int(release.split(".")[1])]
        out = folder / re.sub(r"[^\w.]+", "-", f"service-{release}-{' '.join(flags)}").strip("-")
        if not out.exists():
            run_go(goroot, folder, SOURCES / "service", "build", *flags, "-o", out, ".")
        return out

    return make


class Service:
    """The service, running; it obeys tell()."""

    def __init__(self, binary, *args, prefix=(), **more):
        self.process = subprocess.Popen(
            [*map(str, prefix), str(binary), *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **more
        )
        _, _, self.address, self.version = self.process.stdout.readline().split()
        self.pid = self.process.pid

    def tell(self, line, answered=True):
        self.process.stdin.write(line + "\n")
        if answered:
            assert self.process.stdout.readline() == f"done {line}\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def status(pid, thread=None):
    path = f"/proc/{pid}/task/{thread}/status" if thread else f"/proc/{pid}/status"
    return dict(line.split(":\t", 1) for line in pathlib.Path(path).read_text().splitlines() if ":\t" in line)


class Attach:
    """attach(pid, "--for", "1s") -> a finished attach with its record"""

    def __init__(self, build, results):
        self.build, self.results = build, results
        self.env = {**os.environ, "MEMTIDE_HOME": str(ROOT)}

    def argv(self, *args, prefix=()):
        return [*map(str, prefix), str(self.build / "memtide"), "attach", *map(str, args), "--out", str(self.results), "--no-plot"]

    def __call__(self, *args, prefix=(), timeout=60):
        done = subprocess.run(
            self.argv(*args, prefix=prefix), capture_output=True, text=True, timeout=timeout, env=self.env, stdin=subprocess.DEVNULL
        )
        assert "Sanitizer" not in done.stderr, done.stderr
        assert done.returncode >= 0, done.stderr
        return done

    @contextlib.contextmanager
    def going_on(self, *args):
        """While a program of Go is attached to; leaves when that has ended. Yields the Popen."""
        p = subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env)
        try:
            # What comes last of an attaching: who is there, counted.
            wait_until(lambda: list(self.results.glob("*/default/1/goroutines.json")) or p.poll() is not None)
            yield p
            p.out, p.err = p.communicate(timeout=60)
            assert "Sanitizer" not in p.err, p.err
        finally:
            p.kill()
            p.wait()

    @property
    def campaign(self):
        return newest_campaign(self.results)

    @property
    def run(self):
        runs = self.campaign.runs()
        assert len(runs) == 1
        return runs[0]

    def table(self, name):
        path = self.campaign.run_dir() / name
        text = subprocess.run(["zstdcat", path], capture_output=True, check=True, text=True).stdout
        rows = [line.split("\t") for line in text.splitlines()]
        names = rows[1]
        return [dict(zip([n.lstrip("# ") for n in names], r)) for r in rows if not r[0].startswith("#")]

    def snapshots(self):
        return json.loads((self.campaign.run_dir() / "goroutines.json").read_text())["snapshots"]


@pytest.fixture
def attach(build, tmp_path):
    return Attach(build, tmp_path / "results")


@pytest.fixture
def open_folder(tmp_path, needs_root):
    """A folder that nobody may write to, and that memtide can be run from."""
    for p in [tmp_path, *list(tmp_path.parents)[:2]]:
        p.chmod(0o755)
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder
