# SPDX-License-Identifier: Apache-2.0
"""What a look at 1 000 000 goroutines costs, and the program that has them."""

import pathlib
import statistics
import sys

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from live_go import Live, Programs  # noqa: E402

MILLION = 1_000_000


def cpu_ms(pid):
    """That the program itself has used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return 10 * (int(fields[11]) + int(fields[12]))


def measure_goroutines(b):
    print("Goroutines by origin: 1 000 000 of a live program, in 4 groups")
    programs = Programs(b.build, b.work)
    if not programs.goroots:
        print("  (no Go release is here)")
        return
    for minor in sorted({min(programs.goroots), max(programs.goroots)}):
        with Live(b.build, programs(minor, "parked"), MILLION // 4) as live:
            live.line()
            before = cpu_ms(live.process.pid)
            looks = [live.peek("goroutines") for _ in range(5)]
            used = cpu_ms(live.process.pid) - before
            assert all(look["total"] >= MILLION and not look["truncated"] for look in looks)
        release = f"Go 1.{minor}"
        b.goal(f"{release}: a look, of the clock", statistics.median(look["ms"] for look in looks), "ms", 2000)
        b.goal(f"{release}: a look, of the CPU", statistics.median(look["cpu_ms"] for look in looks), "ms")
        b.goal(f"{release}: what the program computed meanwhile", used / len(looks), "ms a look")
