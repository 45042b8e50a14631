# SPDX-License-Identifier: Apache-2.0
"""Builds real Go binaries of several releases and lets fuzz_layout damage and read them.

make fuzz FUZZ=10m
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
MINORS = [11, 13, 16, 18, 19, 23, 25, 99]
# Whole DWARF is damaged deeper than a compressed one, whose damage zlib notices first.
VARIANTS = {"whole": ["-ldflags=-compressdwarf=false"], "default": [], "pie": ["-buildmode=pie"], "w": ["-ldflags=-w"]}


def toolchains(build):
    """{minor: goroot} of what is on this machine."""
    listed = json.loads(subprocess.run([build / "memtide", "go", "list", "--json"], capture_output=True, text=True, check=True).stdout)
    found = [(tuple(map(int, t["version"].split("."))), t["goroot"]) for t in listed if t["here"] and t["version"].replace(".", "").isdigit()]
    return {version[1]: goroot for version, goroot in sorted(found)}


def binaries(build, folder, minors=MINORS, variants=VARIANTS):
    """Paths of a small program built by each release that is here, in each way."""
    found = toolchains(build)
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "memtide/go-build")
    built = []
    for minor in sorted({min(m, max(found)) for m in minors} & set(found)):
        env = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "GOROOT": found[minor], "GOCACHE": cache, "GOENV": "off", "GOTOOLCHAIN": "local",
            "GOWORK": "off", "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0", "GOPATH": str(folder),
        }  # fmt: skip
        for name in variants:
            out = folder / f"1.{minor}-{name}"
            subprocess.run(
                [f"{found[minor]}/bin/go", "build", *VARIANTS[name], "-o", out, "."],
                cwd=ROOT / "harness/tests/stimuli/go/memstats", env=env, check=True, timeout=300,
            )  # fmt: skip
            built.append(out)
    return built


def seconds(text):
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--for", dest="time", type=seconds, default="10m", help="30s, 10m, 1h")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    args = parser.parse_args()
    build = (ROOT / args.build).resolve()
    with tempfile.TemporaryDirectory(prefix="memtide-fuzz-") as folder:
        files = binaries(build, pathlib.Path(folder))
        print(f"{len(files)} binaries, seed {args.seed}, {args.time:g} s", flush=True)
        return subprocess.run([build / "fuzz/fuzz_layout", str(args.seed), "0", "0", str(args.time), *files]).returncode


if __name__ == "__main__":
    sys.exit(main())
