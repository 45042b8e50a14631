# SPDX-License-Identifier: Apache-2.0
"""memtide measured by itself, and three of its peers beside it: prints figures, goals and ratios.

    make bench

This is no test, because speed is the machine's: a goal that is missed is marked, and the exit code stays 0.
"""

import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from goroutines import measure_goroutines

ROOT = pathlib.Path(__file__).resolve().parents[3]
PEERS = ["psutil==7.2.2", "memory-profiler==0.61.0", "psrecord==1.4"]
MIB = 1 << 20
PAGE = resource.getpagesize()
SECONDS = 4
TARGET_MIB = 200


class Bench:
    def __init__(self, build):
        self.build = build
        self.missed = 0
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="memtide-bench-"))

    def meter(self, *args, program="meter"):
        done = subprocess.run([self.build / "bench" / program, *map(str, args)], capture_output=True, text=True, check=True)
        return {name: float(value) for name, value in map(str.split, done.stdout.splitlines())}

    def gometer(self, *args):
        return self.meter(*args, program="gometer")

    def goal(self, what, value, unit, limit=None, at_least=False, spread=""):
        """One line: the figure and, where there is one, its goal."""
        verdict = ""
        if limit is not None:
            held = value >= limit if at_least else value <= limit
            self.missed += not held
            verdict = f"   goal: at {'least' if at_least else 'most'} {limit:g}{'' if held else '   MISSED'}"
        print(f"  {what:<58}{value:>10.3g} {unit:<10}{spread}{verdict}".rstrip(), flush=True)

    def run(self, name, command, repeat=1, run="timeout: 60s"):
        """Runs a command under memtide; returns every run.json."""
        out = self.work / name
        (self.work / f"{name}.yaml").write_text(
            f"name: {name}\ntitle: What does it cost?\nprogram: {{command: {json.dumps(list(map(str, command)))}}}\n"
            f"limit: 1GB\nrun: {{{run}, repeat: {repeat}}}\n"
        )
        argv = [self.build / "memtide", "--quiet", "run", f"./{name}.yaml", "--out", out, "--no-plot", "--jobs", "1"]
        if os.geteuid() != 0:
            argv += ["--limit", "none"]
        subprocess.run(argv, cwd=self.work, check=True, capture_output=True, env={**os.environ, "MEMTIDE_HOME": str(ROOT)})
        return [json.loads(p.read_text()) for p in sorted(out.glob("*/default/*/run.json"))]


def measure_sampling(b):
    print("Sampling")
    b.goal("one sample, RSS and usage of the cgroup, caches hot", b.meter("cost")["read_us"], "us", 1)
    cpu = {}
    for targets in (1, 11):
        for hz in (100, 1000, 10000):
            m = b.meter("rate", hz, targets, SECONDS)
            cpu[hz, targets] = m["cpu_percent"]
            first, head = (hz, targets) == (1000, 1), f"{hz} Hz, {targets} target{'s' if targets > 1 else ''}: "
            b.goal(head + "missed ticks", m["missed_percent"], "%", 0.5 if first else None)
            b.goal(" " * len(head) + "late by, median", m["p50_us"], "us")
            b.goal(" " * len(head) + "late by, p99", m["p99_us"], "us", 150 if first and m["fifo"] else None)
            b.goal(" " * len(head) + "late by, at most", m["max_us"], "us")
            b.goal(" " * len(head) + "CPU", m["cpu_percent"], "% of one", 3 if first else None)
    b.goal("each further target at 1 kHz", (cpu[1000, 11] - cpu[1000, 1]) / 10, "% of one", 0.3)
    if not m["fifo"]:
        print("  (without real-time priority: run it as root)")
    if not m["groups"]:
        print("  (without cgroups: usage was not read)")


def measure_observer(b):
    print("Effect on a target that does nothing but fault pages in (CPU time of a page)")
    for hz in (1000, 10000):
        m = b.meter("slow", hz, 60)
        spread = f"half of them: {m['quartile_low_percent']:.1f} to {m['quartile_high_percent']:.1f} %"
        b.goal(f"slower at {hz} Hz, median of 60 pairs", m["slower_percent"], "%", 1 if hz == 1000 else None, spread=spread)


def measure_accuracy(b):
    """Targets of known size: RSS to the page, and the peak of a burst that is not held."""
    print("Accuracy")
    size = TARGET_MIB * MIB
    held = b.run("held", [b.build / "stimuli/alloc", TARGET_MIB, 300], 3)
    errors = [abs(r["metrics"]["peak_rss_bytes"] - r["metrics"]["baseline_rss_bytes"] - size) for r in held]
    b.goal(f"RSS of a target of {TARGET_MIB} MiB, worst of {len(held)} runs: off by", max(errors) / PAGE, "pages", 0)
    lasting, ending = "peak of a burst held for 0 s", "the same by a process that then exits at once"
    for lives_ms, goal, what in ((200, 256, lasting), (0, None, ending)):
        bursts = b.run(f"burst-{lives_ms}", [b.build / "bench/meter", "burst", TARGET_MIB, lives_ms], 10)
        short = [r["metrics"]["baseline_rss_bytes"] + size - r["metrics"]["peak_rss_bytes"] for r in bursts]
        b.goal(f"{what}, worst of {len(bursts)}", max(0, *short) / 1024, "KiB short", goal)


def started_at(run_json):
    """Wall-clock time of the target's exec: too late, if anything, by the time that its metrics took."""
    return run_json.stat().st_mtime - json.loads(run_json.read_text())["wall_s"]


def measure_start(b):
    """Everything cached. The first sample follows the exec within a tick."""
    print("Start")
    took = []
    for i in range(5):
        before = time.time()
        b.run(f"start-{i}", ["/bin/true"])
        took.append(started_at(next((b.work / f"start-{i}").glob("*/default/1/run.json"))) - before)
    b.goal("from `memtide run` to the first sample, a command", statistics.median(took), "s", 0.3)
    took = []
    for i in range(4):
        out = b.work / f"go-{i}"
        argv = [b.build / "memtide", "--quiet", "run", "free-os-memory", "--go", "latest", "--set", "godebug=default"]
        argv += ["--repeat", "1", "--for", "1s", "--no-plot", "--out", out]
        argv += [] if os.geteuid() == 0 else ["--limit", "none"]
        before = time.time()
        # Cut short, it cannot be as expected: its exit code does not count.
        done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, "MEMTIDE_HOME": str(ROOT)})
        found = list(out.glob("*/*/1/run.json"))
        if not found or json.loads(found[0].read_text())["wall_s"] is None:
            print(f"  not measured, a Go program: {done.stderr.strip()}")
            return
        took.append(started_at(found[0]) - before)
    b.goal("the same, a Go program", statistics.median(took[1:]), "s", 0.3)


def measure_clock(b):
    """The virtual clock: a look, a wake-up, and the idle experiment of every release that is here."""
    print("The virtual clock")
    b.goal("a look whether 20 sleeping threads sleep", b.meter("look")["look_us"], "us", 40)
    b.goal("ending a sleeper's wait, until it sleeps again", b.meter("wake")["wake_us"], "us")
    out = b.work / "idle"
    argv = [b.build / "memtide", "--quiet", "run", "allocate", "--set", "godebug=default", "--repeat", "1", "--out", out, "--no-plot"]
    environment = {**os.environ, "MEMTIDE_HOME": str(ROOT)}
    subprocess.run([*argv, "--for", "1s"], capture_output=True, env=environment)  # builds
    shutil.rmtree(out, ignore_errors=True)
    begun = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, env=environment)
    took = time.monotonic() - begun
    runs = [json.loads(p.read_text()) for p in out.glob("*/*/*/run.json")]
    runs = [r for r in runs if r["outcome"] == "ok"]
    if not runs:
        print(f"  not measured, the idle experiment: {done.stderr.strip()}")
        return
    b.goal(f"idle for 650 s with {len(runs)} releases, the whole command", took, "s", 8)
    faster = statistics.median(r["target_s"] / r["wall_s"] for r in runs)
    b.goal("faster than real time, the median run", faster, "times", 500, at_least=True)


def go_program(b, name):
    """A stimulus, by the newest Go that is here; None: there is none."""
    listed = subprocess.run([b.build / "memtide", "go", "list", "--json"], capture_output=True, text=True)
    here = [t for t in json.loads(listed.stdout or "[]") if t["here"]]
    if not here:
        return None
    root = max(here, key=lambda t: [int(n) for n in t["version"].split(".") if n.isdigit()])["goroot"]
    out = b.work / name
    env = {**os.environ, "GOENV": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "", "GOROOT": root, "GO111MODULE": "off"}
    folder = ROOT / "harness/tests/stimuli/go" / name
    subprocess.run([f"{root}/bin/go", "build", "-o", out, "main.go"], cwd=folder, env=env, check=True, capture_output=True)
    return out


def split_lines(b, pid, times, pause_ms):
    done = subprocess.run([b.build / "probe/gosplit", str(pid), str(times), str(pause_ms)], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure_split(b):
    """The exact split of RSS, and what it costs a target that serves requests, in its own CPU time: told for once a second, measured
    at 10 times a second."""
    print("The exact split of RSS")
    program = go_program(b, "holdings")
    if not program:
        print("  not measured: no Go toolchain is here")
        return
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([program, "spans", "800"], **pipes) as process:
        process.stdout.readline()
        looks = split_lines(b, process.pid, 31, 20)
        process.kill()
    head = f"{looks[0]['statm'] / 1e6:.0f} MB, {looks[0]['spans']} spans: "
    b.goal(head + "the first", looks[0]["ms"], "ms")
    b.goal(" " * len(head) + "median of 30", statistics.median(x["ms"] for x in looks[1:]), "ms", 30)
    b.goal(" " * len(head) + "CPU time of one", statistics.median(x["cpu_ms"] for x in looks[1:]), "ms")
    b.goal(" " * len(head) + "parts off RSS by, at most", max(abs(x["sum"] - x["statm"]) for x in looks) / 1024, "KiB", 1024)
    with subprocess.Popen([program, "beat", "400"], **pipes) as process:
        for _ in range(8):
            process.stdout.readline()
        alone, watched = [], []
        for _ in range(40):
            process.stdout.readline()  # begins a quarter of a second, or is of one that the pair before reached into
            alone.append(float(process.stdout.readline()))
            watcher = subprocess.Popen([b.build / "probe/gosplit", str(process.pid), "1000", "100"], stdout=subprocess.DEVNULL)
            process.stdout.readline()
            watched.append(float(process.stdout.readline()))
            watcher.kill()
            watcher.wait()
        process.kill()
    slower = 100 * (statistics.median(alone) / statistics.median(watched) - 1) / 10
    b.goal("a serving target of 400 MB, slower by once a second", slower, "%", 1)


BIG_PACKAGE = """
type T{n} struct {{ A, B, C int; D, E string; F []byte; G map[string]int; H *T{n}; I interface{{}}; J func(int) error }}

func (t *T{n}) M{n}(x int, y string) (string, error) {{
	t.A += x
	if t.G == nil {{ t.G = map[string]int{{}} }}
	for i := 0; i < x; i++ {{
		t.G[fmt.Sprint(i, t.B)] += i
		t.F = append(t.F, byte(i), byte(t.C), y[i%len(y)])
		switch i % 4 {{
		case 0: t.B += len(t.D)
		case 1: t.E += t.D[:len(t.D)/2]
		case 2: t.I = struct{{ U, V int }}{{i, x}}
		default: t.H = &T{n}{{A: i, D: t.E, J: func(n int) error {{ return fmt.Errorf("%d %s %v", n, t.D, i) }}}}
		}}
	}}
	if t.J != nil {{ if err := t.J(t.A); err != nil {{ return "", fmt.Errorf("wrapped %w", err) }} }}
	return fmt.Sprintf("%v %v %s %d", t.A, t.I, t.E, len(t.G)), nil
}}
"""


def go_binary(b, folder, out):
    """Builds what lies in a folder with the newest release that is here; the cache is memtide's own."""
    listed = json.loads(subprocess.run([b.build / "memtide", "go", "list", "--json"], capture_output=True, text=True, check=True).stdout)
    found = [t for t in listed if t["here"] and t["version"].replace(".", "").isdigit()]
    goroot = max(found, key=lambda t: tuple(map(int, t["version"].split("."))))["goroot"]
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "memtide/go-build")
    env = {
        "PATH": os.environ["PATH"], "HOME": str(b.work), "GOCACHE": cache, "GOENV": "off", "GOTOOLCHAIN": "local", "GOWORK": "off",
        "GO111MODULE": "off", "GOFLAGS": "", "CGO_ENABLED": "0", "GOPATH": str(b.build / "bench/gopath"),
    }  # fmt: skip
    subprocess.run([f"{goroot}/bin/go", "build", "-o", out, "."], cwd=folder, env=env, check=True)


def big_binary(b, packages=115, types=250):
    """About 100 MB of program; built once, which takes minutes."""
    out = b.build / "bench/big"
    if out.exists():
        return out
    top = b.build / "bench/gopath/src/big"
    for p in range(packages):
        (top / f"p{p}").mkdir(parents=True, exist_ok=True)
        calls = "".join(f'\tfmt.Println((&T{n}{{}}).M{n}(n, "x"))\n' for n in range(types))
        text = f'package p{p}\n\nimport "fmt"\n' + "".join(BIG_PACKAGE.format(n=n) for n in range(types))
        (top / f"p{p}/p.go").write_text(f"{text}\nfunc All(n int) {{\n{calls}}}\n")
    imports = "".join(f'\t"big/p{p}"\n' for p in range(packages))
    calls = "".join(f"\tp{p}.All(len(os.Args) - 1)\n" for p in range(packages))
    (top / "main.go").write_text(f'package main\n\nimport (\n\t"os"\n{imports})\n\nfunc main() {{\n{calls}}}\n')
    go_binary(b, top, out)
    return out


def measure_inside(b):
    """Reading a Go process from outside: the look-up in its binary, one reading, and readings at the sampler's rate."""
    print("Reading a Go process")
    small = b.work / "memstats"
    go_binary(b, ROOT / "harness/tests/stimuli/go/memstats", small)
    for what, binary, goal in (("small", small, 20), ("large", big_binary(b), 50)):
        m = b.gometer("lookup", binary)
        size = binary.stat().st_size / 1e6
        b.goal(f"look-up in a {what} binary ({size:.0f} MB), median of 15", m["lookup_ms"], "ms", goal, spread=f"CPU {m['cpu_ms']:.1f} ms")
    process = subprocess.Popen([small], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdin.write(b"alloc 100\n")
        process.stdin.flush()
        process.stdout.readline()
        m = b.gometer("hot", process.pid)
        b.goal("one reading of all counters, caches hot", m["read_us"], "us", 5)
        b.goal("whether it is still the same process and program", m["same_us"], "us")
        b.goal("readings at 100 Hz: CPU", b.gometer("rate", process.pid, 100, SECONDS)["cpu_percent"], "% of one", 1)
        process.stdin.write(b"churn 4\n")
        process.stdin.flush()
        process.stdout.readline()
        m = b.gometer("rate", process.pid, 1000, SECONDS)
        b.goal("readings that raced, and were dropped, while everything changes", m["raced_percent"], "%")
    finally:
        process.kill()
        process.wait()


def cpu_of_process(pid):
    """User and system time so far, in ns: of its scheduler, which counts finer than clock ticks."""
    return sum(int(p.read_text().split()[0]) for p in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"))


class Served:
    """The service, with a load on it for good; tells what a while brought."""

    def __init__(self, program):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.process = subprocess.Popen([program, "-listen"], **pipes)
        address = self.process.stdout.readline().split()[2]
        self.pid = self.process.pid
        self.ask("leak 1000")
        self.load = subprocess.Popen(["wrk", "-t1", "-c8", "-d1h", f"http://{address}/"], stdout=subprocess.DEVNULL)
        time.sleep(0.5)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().split()[-1]

    def look(self):
        return time.monotonic(), int(self.ask("count")), cpu_of_process(self.pid)

    def over(self, seconds):
        """Requests a second, and CPU time of the server for one."""
        (t0, n0, c0), _, (t1, n1, c1) = self.look(), time.sleep(seconds), self.look()
        return (n1 - n0) / (t1 - t0), (c1 - c0) / max(n1 - n0, 1)

    def done(self):
        for process in (self.load, self.process):
            process.kill()
            process.wait()


def more_by(pairs):
    """By how much the sums of the pairs' second halves are above those of the first, in %, and its 95 % interval: pairs drawn anew. No
    median: what comes once a second, as a split does, is in one of several whiles."""

    def ratio(some):
        return 100 * (sum(b for _, b in some) / sum(a for a, _ in some) - 1)

    drawn = random.Random(1)
    again = sorted(ratio(drawn.choices(pairs, k=len(pairs))) for _ in range(2000))
    return ratio(pairs), again[50], again[-51]


def compare_service(b, served, name, argv, goal=1, own_goal=None, pairs=120, seconds=0.4):
    """With and without a watcher, which is stopped for one while of each pair, the first or the second in turn. goal: of what the server loses;
    own_goal: of what the watcher takes."""
    speed, cpu, own, watched_s = [], [], 0, 0
    watcher = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "MEMTIDE_HOME": str(ROOT)})
    time.sleep(1)

    def over(sign):
        watcher.send_signal(sign)
        time.sleep(0.05)
        return served.over(seconds)

    for i in range(pairs):
        order = [signal.SIGSTOP, signal.SIGCONT] if i % 2 else [signal.SIGCONT, signal.SIGSTOP]
        before, found = cpu_of_process(watcher.pid), {sign: over(sign) for sign in order}
        own += cpu_of_process(watcher.pid) - before
        watched_s += seconds + 0.05
        alone, watched = found[signal.SIGSTOP], found[signal.SIGCONT]
        speed.append((alone[0], watched[0]))
        cpu.append((alone[1], watched[1]))
    watcher.kill()
    watcher.wait()
    for what, found, limit in (("requests a second", speed, None), ("the server's CPU time for one", cpu, goal)):
        more, low, high = more_by(found)
        b.goal(f"{name}: {what}", more, "% more", limit, spread=f"({pairs} pairs, 95 %: {low:+.2f} to {high:+.2f})")
    b.goal(f"{name}: what it takes itself", own / 1e7 / watched_s, "% of one", own_goal)


def measure_attach(b):
    """A web server under load, attached to for good, and a thousand times for a moment."""
    print("Attaching to a busy server")
    program = go_program(b, "service")
    if not program or not shutil.which("wrk"):
        print("  not measured: no Go toolchain is here, or no wrk")
        return
    served = Served(program)
    out = subprocess.run([b.build / "probe/attach_often", str(served.pid), "100"], capture_output=True, text=True, check=True).stdout
    told = json.loads(out)
    b.goal("one attach: open, counters, split, goroutines, threads", 1000 * told["seconds"] / told["attached"], "ms")
    for rate in (None, 100, 1000):
        name, goal = (f"recorded at {rate} Hz", None) if rate else ("recorded", 1)  # a rate that is asked for is kept, whatever it costs
        rate = ["--rate", str(rate)] if rate else []
        argv = [b.build / "memtide", "attach", str(served.pid), "--for", "1h", *rate, "--no-plot", "--out", b.work / "attach"]
        compare_service(b, served, name, argv, goal, goal)
    often = [b.build / "probe/attach_often", str(served.pid), "1000000", "80"]
    compare_service(b, served, "attached to anew 10 times a second", often)
    served.done()


def measure_campaign(b, campaign):
    """An idle campaign of long runs: what it takes on disk, and how long table and figures take."""
    print(f"A recorded campaign: {campaign}")
    runs = [p.parent for p in campaign.glob("*/*/run.json") if (p.parent / "samples.tsv.zst").exists()]
    sizes = [sum(f.stat().st_size for f in run.iterdir()) for run in runs]
    b.goal(f"on disk, largest of {len(runs)} runs", max(sizes) / 1e6, "MB", 2)
    copy = b.work / "campaign"
    shutil.copytree(campaign, copy, ignore=shutil.ignore_patterns("plots"))
    begun = time.monotonic()
    environment = {**os.environ, "MEMTIDE_HOME": str(ROOT)}
    subprocess.run([b.build / "memtide", "plot", copy], check=True, capture_output=True, env=environment)
    b.goal("all figures", time.monotonic() - begun, "s", 5)


# ---- peers


def install(folder):
    """The peers, in a folder of the build's own. Returns None, or why there are none."""
    if (folder / "psrecord").exists():
        return None
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check", "--target", folder, *PEERS],
        capture_output=True, text=True,
    )  # fmt: skip
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def target(b):
    process = subprocess.Popen([b.build / "stimuli/alloc", str(TARGET_MIB), "60000"], stdout=subprocess.DEVNULL)
    while int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * PAGE < TARGET_MIB * MIB:
        time.sleep(0.01)
    return process


def cpu_of(argv, env):
    """Runs it to its end; returns its CPU time and what it printed."""
    read, write = os.pipe()
    process = subprocess.Popen(list(map(str, argv)), env=env, stdout=write, stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        out = pipe.read()
    usage = os.wait4(process.pid, 0)[2]
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, out


# Paced by absolute deadlines, as memtide's own thread is: the most that psutil can be used for.
PSUTIL = """
import psutil, sys, time
p, hz, seconds = psutil.Process(int(sys.argv[1])), float(sys.argv[2]), float(sys.argv[3])
n, start, cpu = 0, time.perf_counter(), time.process_time()
while (now := time.perf_counter()) < start + seconds:
    p.memory_info().rss
    n += 1
    if hz:
        due = start + int((now - start) * hz + 1) / hz
        if (left := due - time.perf_counter()) > 0:
            time.sleep(left)
print(n, time.perf_counter() - start, time.process_time() - cpu)
"""


def psutil_loop(pid, hz, env):
    _, out = cpu_of([sys.executable, "-c", PSUTIL, pid, hz, SECONDS], env)
    n, wall, cpu = map(float, out.split())
    return n / wall, 100 * cpu / wall


def psrecord(b, pid, interval, env):
    log = b.work / "psrecord.log"
    argv = [sys.executable, "-c", "from psrecord.main import main; main()", pid, "--duration", SECONDS, "--log", log]
    cpu, _ = cpu_of(argv + (["--interval", interval] if interval else []), env)
    times = [float(line.split()[0]) for line in log.read_text().splitlines() if not line.startswith("#")]
    wall = times[-1] - times[0]
    return len(times) / wall, 100 * cpu / wall


def mprof(b, interval, env):
    """It starts its target itself, whose CPU time is taken off."""
    data = b.work / "mprof.dat"
    command = [b.build / "stimuli/alloc", TARGET_MIB, SECONDS * 1000]
    own, _ = cpu_of(command, env)
    cpu, _ = cpu_of([sys.executable, "-m", "mprof", "run", "--interval", interval, "--output", data, "--nopython", *command], env)
    times = [float(line.split()[2]) for line in data.read_text().splitlines() if line.startswith("MEM")]
    wall = times[-1] - times[0]
    return len(times) / wall, 100 * max(0, cpu - own) / wall


def measure_peers(b):
    print(f"Peers, on a target of {TARGET_MIB} MiB")
    folder = b.build / "bench/peers"
    why = install(folder)
    if why:
        print(f"  not measured: {', '.join(PEERS)} could not be installed: {why}")
        return
    env = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    process = target(b)
    rows = []
    try:
        # Measured anew here: both sides of a ratio see the same machine.
        own_read_us, own_cpu = b.meter("cost")["read_us"], b.meter("rate", 1000, 1, SECONDS)["cpu_percent"]
        fastest, cpu = psutil_loop(process.pid, 0, env)
        read_us = 1e6 * cpu / 100 / fastest
        rows.append((True, "psutil, a loop at 1 kHz", *psutil_loop(process.pid, 1000, env)))
        rows.append((False, "psutil, a loop without pause", fastest, cpu))
        rows.append((True, "psrecord --interval 0.001", *psrecord(b, process.pid, 0.001, env)))
        rows.append((True, "psrecord --interval 0.0007", *psrecord(b, process.pid, 0.0007, env)))
        rows.append((False, "psrecord, as often as it can", *psrecord(b, process.pid, None, env)))
        rows.append((True, "mprof --interval 0.001", *mprof(b, 0.001, env)))
        rows.append((True, "mprof --interval 0.0005", *mprof(b, 0.0005, env)))
    finally:
        process.kill()
        process.wait()
    print(f"  {'':<40}{'samples/s':>10}{'CPU %':>8}{'CPU us/sample':>15}")
    print(f"  {'memtide at 1 kHz':<40}{1000:>10.0f}{own_cpu:>8.1f}{own_cpu * 10:>15.1f}")
    for _, name, rate, cpu in rows:
        print(f"  {name:<40}{rate:>10.0f}{cpu:>8.1f}{1e4 * cpu / rate:>15.1f}")
    b.goal("a read: psutil / memtide", read_us / own_read_us, "times", 10, at_least=True)
    # Only those that sleep between two samples: a loop without pause has no wake-ups, and takes a whole CPU.
    paced = [(cpu / rate * 1000, name) for sleeps, name, rate, cpu in rows if sleeps and rate >= 950]
    cpu, name = min(paced, default=(0, "no peer reaches it"))
    b.goal("CPU at 1 kHz: the best peer that reaches it / memtide", cpu / own_cpu, "times", 4, at_least=True, spread=name)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", type=pathlib.Path)
    parser.add_argument("--campaign", type=pathlib.Path, help="a recorded campaign of long runs, to be measured too")
    args = parser.parse_args()
    b = Bench(ROOT / args.build)
    try:
        measure_sampling(b)
        measure_observer(b)
        measure_accuracy(b)
        measure_start(b)
        measure_clock(b)
        measure_split(b)
        measure_inside(b)
        measure_goroutines(b)
        measure_attach(b)
        if args.campaign:
            measure_campaign(b, args.campaign.resolve())
        measure_peers(b)
        load = os.getloadavg()[0]
        print(f"\n{b.missed or 'No'} goal{'s' if b.missed != 1 else ''} missed; load {load:.1f} on {os.cpu_count()} CPUs.")
    finally:
        shutil.rmtree(b.work)


if __name__ == "__main__":
    main()
