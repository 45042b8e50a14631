# SPDX-License-Identifier: Apache-2.0
"""Go stimuli built with any release that is on this machine, run, and asked by harness/tests/probe/gostacks."""

import json
import os
import pathlib
import struct
import subprocess

import pytest

SOURCES = pathlib.Path(__file__).resolve().parents[3] / "harness/tests/stimuli/go"


def goroots(build):
    """{minor: goroot}: the newest patch of every release from 1.11 on that is here."""
    listed = json.loads(subprocess.run([build / "memtide", "go", "list", "--json"], capture_output=True, text=True, check=True).stdout)
    number = lambda t: tuple(map(int, t["version"].split(".")))
    found = sorted((t for t in listed if t["here"] and t["version"].replace(".", "").isdigit()), key=number)
    return {number(t)[1]: t["goroot"] for t in found}


def run_go(goroot, home, cwd, *args, modules=False, cgo=False, **more):
    """The go command of a release, with nothing of the user's settings; home: a folder of the test's own."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    env = {
        "PATH": os.environ["PATH"], "HOME": str(home), "GOROOT": goroot, "GOPATH": str(home / "gopath"), "GOCACHE": f"{cache}/memtide/go-build",
        "GOENV": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "GO111MODULE": "on" if modules else "off", "GOFLAGS": "",
        "CGO_ENABLED": "1" if cgo else "0", **more,
    }  # fmt: skip
    done = subprocess.run([f"{goroot}/bin/go", *map(str, args)], cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def some(goroots):
    """Of each layout of goroutines and profiles one release that is here; and the newest."""
    return [m for m in (11, 16, 19, 23) if m in goroots] + [max(goroots)]


class Programs:
    """programs(16, "parked", "-buildmode=pie") builds a stimulus, once."""

    def __init__(self, build, folder):
        self.goroots = goroots(build)
        self.folder = folder

    def __call__(self, minor, name, *flags, cgo=False):
        out = self.folder / ("_".join([name, str(minor), *flags]).replace(" ", "").replace("=", "-"))
        if not out.exists():
            run_go(self.goroots[minor], self.folder, SOURCES / name, "build", *flags, "-o", out, ".", modules=True, cgo=cgo)
        return out


@pytest.fixture(scope="module")
def programs(build, toolchains, tmp_path_factory):
    return Programs(build, tmp_path_factory.mktemp("go"))


class Live:
    """A stimulus that runs: answers lines, can be looked into, and can be damaged."""

    def __init__(self, build, binary, *args):
        self.gostacks = build / "probe/gostacks"
        self.process = subprocess.Popen(
            [binary, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self):
        line = self.process.stdout.readline()
        assert line, "the stimulus has ended"
        return line.rstrip("\n")

    def tell(self, text):
        self.process.stdin.write(text + "\n")
        return self.line()

    def peek(self, what, *args, stdin=None, fails=False):
        done = subprocess.run(
            [self.gostacks, what, str(self.process.pid), *map(str, args)], input=stdin, capture_output=True, text=True, timeout=60
        )
        assert "Sanitizer" not in done.stderr, done.stderr
        assert done.returncode in (0, 1), done.stderr
        if fails:
            return done.stderr if done.returncode == 1 else json.loads(done.stdout)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def words(self, address, n=1):
        with open(f"/proc/{self.process.pid}/mem", "rb") as f:
            f.seek(address)
            return struct.unpack(f"<{n}Q", f.read(8 * n))

    def damage(self, address, *words):
        with open(f"/proc/{self.process.pid}/mem", "r+b", buffering=0) as f:
            f.seek(address)
            f.write(struct.pack(f"<{len(words)}Q", *words))
