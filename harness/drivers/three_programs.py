#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Three live programs whose RSS looks like a leak, and what `memtide diagnose PID` says of each: README.md shows it.

One dropped its memory and gave it back by MADV_FREE, one leaks goroutines, one leaks memory of C. They are started as any program is, not by
memtide, and in real time: it takes a minute and a half.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What to say of it, the release it is built with, its folder in goprogs/, its arguments, and when it is asked, in s after its start.
PROGRAMS = [
    ("800 MB dropped and given back", "1.15", "allocate", ["-free"], 10),
    ("a ticker's goroutine left by each connection", "latest", "ticker-leak", [], 75),
    ("8 MB of C memory a second, never freed", "1.23", "cgo-malloc", [], 30),
]


def goroot_of(memtide, release):
    """Of the newest patch that is here."""
    known = [t for t in json.loads(subprocess.check_output([memtide, "go", "list", "--json"])) if t["here"]]
    numbers = [t for t in known if t["version"].replace(".", "").isdigit() and (release == "latest" or t["version"].startswith(f"{release}."))]
    if not numbers:
        sys.exit(f"three_programs.py: Go {release} is not here: {memtide} go fetch {release}")
    newest = max(numbers, key=lambda t: [int(n) for n in t["version"].split(".")])
    return newest["version"], newest["goroot"]


def build(memtide, release, program, out):
    version, goroot = goroot_of(memtide, release)
    env = {
        "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "GOROOT": goroot, "GOENV": "off", "GOTOOLCHAIN": "local",
        "GOWORK": "off", "GO111MODULE": "on", "GOFLAGS": "", "GOCACHE": str(out.parent / "cache"),
    }  # fmt: skip
    subprocess.run([f"{goroot}/bin/go", "build", "-o", out, f"./{program}"], cwd=ROOT / "goprogs", env=env, check=True)
    return version


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memtide", default=ROOT / "build/memtide", type=pathlib.Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="memtide-three-") as folder:
        built = []
        for what, release, program, argv, when in PROGRAMS:
            out = pathlib.Path(folder) / program
            built.append((what, build(args.memtide, release, program, out), out, argv, when))
        started = []
        try:
            for what, version, out, argv, when in built:
                process = subprocess.Popen([out, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                started.append((process, what, version, argv, time.monotonic() + when))
            for process, what, version, argv, at in sorted(started, key=lambda s: s[-1]):
                time.sleep(max(0, at - time.monotonic()))
                print(f"# {what} (Go {version})\n$ memtide diagnose {process.pid}", flush=True)
                done = subprocess.run([args.memtide, "diagnose", str(process.pid)], env={**os.environ, "NO_COLOR": "1"})
                print(flush=True)
                if done.returncode not in (0, 3):
                    sys.exit(done.returncode)
        finally:
            for process, *_ in started:
                process.kill()
                process.wait()


if __name__ == "__main__":
    main()
