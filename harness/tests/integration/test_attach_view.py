# SPDX-License-Identifier: Apache-2.0
"""`memtide attach PID` on a terminal: the live view."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest
from conftest import ROOT, wait_until
from live_service import Service, service_of, status  # noqa: F401: a fixture


class Terminal:
    """A terminal of a given size with memtide on it. What is written is drawn; what a terminal would not do is an error."""

    def __init__(self, argv, rows=24, columns=80, env=None):
        self.raw = b""
        self.fd, theirs = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(self.fd)
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.fd)
            os.login_tty(theirs)
            os.environ.update({"TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "MEMTIDE_HOME": str(ROOT), **(env or {})})
            os.environ.pop("NO_COLOR", None) if "NO_COLOR" not in (env or {}) else None
            os.execv(argv[0], list(map(str, argv)))
        os.close(theirs)

    def resize(self, rows, columns):
        self.rows, self.columns = rows, columns
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not select.select([self.fd], [], [], 0.05)[0]:
                continue
            try:
                block = os.read(self.fd, 65536)
            except OSError:
                return False
            self.raw += block
        return True

    def read_until(self, text, seconds=20):
        end = time.monotonic() + seconds
        while text not in self.raw:
            assert time.monotonic() < end, self.raw[-2000:]
            assert self.read_for(0.1) or text in self.raw, self.raw[-2000:]

    def read_until_screen(self, fits, seconds=60):
        """Until a frame is whole for which fits(screen)."""
        end = time.monotonic() + seconds
        while not any(fits("\n".join(draw(frame))) for frame in self.whole_frames()[-2:]):
            assert time.monotonic() < end, "\n".join(draw(self.whole_frames()[-1]) if self.whole_frames() else [repr(self.raw)])
            assert self.read_for(0.1), self.raw[-2000:]

    def whole_frames(self):
        return self.frames()[:-1] if b"\x1b[?1049h" in self.raw else []

    def type(self, keys):
        os.write(self.fd, keys)

    def leave(self, seconds=15):
        """Reads to the end; the exit status."""
        end = time.monotonic() + seconds
        while self.read_for(0.1):
            assert time.monotonic() < end, "it does not leave"
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def frames(self):
        text = self.raw.decode(errors="ignore")  # a character may be on its way
        on, off = text.index("\x1b[?1049h"), text.rfind("\x1b[0m\x1b[?7h")
        return text[on : off if off > on else len(text)].split("\x1b[H")[1:]

    def check_restored(self):
        text = self.raw.decode()
        assert text.count("\x1b[?1049h") == text.count("\x1b[?1049l") and text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
        return text[text.rfind("\x1b[?1049l") + len("\x1b[?1049l") :]


def draw(frame):
    """The lines of one frame without colours; every code in it must be one of those that the view uses."""
    plain = re.sub(r"\x1b\[(38;5;\d+m|0m|K|J)", "", frame)
    assert "\x1b" not in plain and not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", plain), repr(plain)
    return re.split(r"\r+\n", plain)


def modes(fd):
    return termios.tcgetattr(fd)[:4]


@pytest.fixture
def live(build):
    def start(pid, *args, **more):
        return Terminal([str(build / "memtide"), "attach", str(pid), *args], **more)

    return start


def test_live_view(live, service_of):
    with Service(service_of()) as s:
        s.tell("hold 40")
        s.tell("leak-on 200")
        t = live(s.pid)
        before = t.before
        t.read_until_screen(lambda screen: re.search(r"objects +4\d\.\d MB", screen) and re.search(r"main\.leak main", screen)
                            and re.search(r"goroutines \d+ \(\+\d+/s\)", screen))
        assert modes(t.fd) != before[:4]  # no echo meanwhile
        t.type(b"q")
        assert t.leave() == 0
        rest = t.check_restored()
        assert "watched for" in rest and "goroutines" in rest
        lines = draw(t.frames()[-1])
        assert len(lines) == 24 and all(len(line) <= 80 for line in lines)
        screen = "\n".join(lines)
        assert f"service-latest (pid {s.pid})  {s.version}" in lines[0] and "q leaves" in lines[0]
        assert re.search(r"RSS \d+\.\d MB", lines[1]) and "heap in use" in lines[1]
        assert re.search(r"objects +4\d\.\d MB", screen)
        assert re.search(r"goroutines \d+ \(\+\d+/s\)", screen)
        assert re.search(r"main\.leak main\.go:\d+, chan receive", screen)
        assert "live-heap" in screen or "objects" in lines[-2] + lines[-1]
        assert re.search("[\u2800-\u28ff]", screen)


@pytest.mark.parametrize("rows, columns", [(24, 80), (10, 40), (5, 20), (1, 1), (3, 200), (60, 30), (70, 260)])
def test_live_view_fits(live, service_of, rows, columns):
    with Service(service_of()) as s:
        t = live(s.pid, rows=rows, columns=columns)
        t.read_until(b"\x1b[H")
        t.read_for(1.5)
        t.type(b"q")
        assert t.leave() == 0
        t.check_restored()
        for frame in t.frames():
            lines = draw(frame)
            assert len(lines) <= rows and all(len(line) <= columns for line in lines)


def test_live_view_follows_the_window(live, service_of):
    with Service(service_of()) as s:
        t = live(s.pid)
        t.read_until(b"\x1b[H")
        t.resize(12, 50)
        n = len(t.frames())
        t.read_until_screen(lambda _: len(t.frames()) > n + 4)
        for frame in t.frames()[n + 1 :]:  # one of the size before may have been on its way
            assert len(draw(frame)) <= 12 and all(len(line) <= 50 for line in draw(frame))
        t.type(b"q")
        assert t.leave() == 0


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"LC_ALL": "C"}, {"NO_COLOR": "1", "LC_ALL": "POSIX"}])
def test_live_view_without_colours_or_utf8(live, service_of, env):
    with Service(service_of()) as s:
        t = live(s.pid, env=env)
        bar = re.compile(r"^[ofsizrnt#]{80}$", re.M)
        t.read_until_screen(bar.search)
        t.type(b"q")
        assert t.leave() == 0
        frames = "".join(t.frames())
        assert ("\x1b[38" not in frames) == ("NO_COLOR" in env)
        assert frames.isascii() == ("LC_ALL" in env)
        assert bar.search("\n".join(draw(t.frames()[-1])))


@pytest.mark.parametrize("how", ["ctrl-c", "ctrl-\\", "SIGTERM", "SIGHUP", "SIGSEGV", "SIGABRT", "--for"])
def test_live_view_always_gives_the_terminal_back(live, service_of, how):
    with Service(service_of()) as s:
        t = live(s.pid, *(["--for", "1s"] if how == "--for" else []))
        t.read_until(b"\x1b[?1049h")
        t.read_for(0.5)
        keys = {"ctrl-c": b"\x03", "ctrl-\\": b"\x1c"}.get(how)
        if keys:
            t.type(keys)
        elif how != "--for":
            os.kill(t.pid, getattr(signal, how))
        fd = os.dup(t.fd)
        code = t.leave()
        assert modes(fd) == t.before[:4] or code == 0
        assert code == (-getattr(signal, how) if how in ("SIGSEGV", "SIGABRT") else 0)
        t.check_restored()
        assert s.process.poll() is None


def test_live_view_is_suspended_and_goes_on(live, service_of):
    """Ctrl-Z: the terminal is the shell's meanwhile."""
    with Service(service_of()) as s:
        t = live(s.pid)
        t.read_until(b"\x1b[?1049h")
        t.read_for(0.5)
        t.type(b"\x1a")
        wait_until(lambda: status(t.pid)["State"].startswith("T"))
        t.read_for(0.2)
        t.check_restored()
        assert modes(t.fd) == t.before[:4]
        os.kill(t.pid, signal.SIGCONT)
        n = len(t.raw)
        wait_until(lambda: t.read_for(0.1) and b"\x1b[?1049h" in t.raw[n:] and b"q leaves" in t.raw[n:])
        t.type(b"q")
        assert t.leave() == 0
        t.check_restored()


def test_live_view_of_a_target_that_ends(live, service_of):
    with Service(service_of()) as s:
        t = live(s.pid)
        t.read_until_screen(lambda screen: re.search(r"RSS \d", screen))
        s.process.kill()
        s.process.wait()
        assert t.leave() == 0
        said = t.check_restored()
        assert "It has ended." in said and "highest 0 B" not in said


def test_live_view_of_a_target_that_execs(live, service_of):
    with Service(service_of("1.16")) as s:
        s.tell("leak 4321")
        t = live(s.pid)
        t.read_until_screen(lambda screen: f"{s.version}" in screen and " 4321 " in screen)
        s.tell(f"exec {service_of()}", answered=False)
        assert s.process.stdout.readline().startswith("ready")
        t.read_until_screen(lambda screen: "It has begun another program" in screen)
        t.read_for(0.5)
        t.type(b"q")
        assert t.leave() == 0
        screen = "\n".join(draw(t.frames()[-1]))
        assert "It has begun another program" in screen and s.version not in screen and " 4321 " not in screen
        assert f"service-latest (pid {s.pid})" in screen and "service-1.16" not in screen


def test_live_view_of_what_is_not_go(live):
    p = subprocess.Popen(["sleep", "60"])
    try:
        t = live(p.pid)
        t.read_until_screen(lambda screen: re.search(r"RSS \d", screen))
        t.type(b"q")
        assert t.leave() == 0
        screen = "\n".join(draw(t.frames()[-1]))
        assert "Only what the kernel tells of it" in screen and "RSS" in screen
    finally:
        p.kill()
        p.wait()


def test_live_view_of_a_name_that_terminals_obey(live, service_of, tmp_path):
    """A file name may have any byte but two."""
    evil = tmp_path / "\x1b]0;title\x07\x1b[2J\x9b\u202e中\x7f"
    shutil.copy(service_of(), evil)
    with Service(evil) as s:
        t = live(s.pid)
        t.read_until_screen(lambda screen: re.search(r"RSS \d", screen))
        t.type(b"q")
        assert t.leave() == 0
        for frame in t.frames():
            assert "title" in draw(frame)[0]  # and draw() looks for the rest
        rest = t.check_restored()
        assert "\x1b]0" not in rest and "\x1b[2J" not in rest
