/* SPDX-License-Identifier: Apache-2.0
 *
 * The live view on a terminal: its screen, its keys, its signals. The terminal is given back as it was, whatever ends the view.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "cmd/attach_parts.h"
#include "cmd/live.h"
#include "run/clock.h"

#define TICK_NS  (100 * NS_PER_MS)
#define FRAME_NS (250 * NS_PER_MS)

/* The other screen, no cursor, no line's end that wraps; and back. */
#define SCREEN_ON  "\033[?1049h\033[?25l\033[?7l\033[2J"
#define SCREEN_OFF "\033[0m\033[?7h\033[?25h\033[?1049l"

/* For the handlers, which have no argument. */
static struct termios terminal_before;
static volatile sig_atomic_t terminal_taken;

/* Async-signal-safe. */
static void give_terminal_back(void)
{
	if (!terminal_taken)
		return;
	terminal_taken = 0;
	(void)!write(STDOUT_FILENO, SCREEN_OFF, strlen(SCREEN_OFF));
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before);
}

static void on_crash(int sig)
{
	give_terminal_back();
	(void)raise(sig); /* SA_RESETHAND: now it has its default effect */
}

static void take_terminal(void)
{
	struct termios raw = terminal_before;

	/* Keys at once and unseen; Ctrl-C, Ctrl-\ and Ctrl-Z stay signals. */
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	terminal_taken = 1;
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	(void)!write(STDOUT_FILENO, SCREEN_ON, strlen(SCREEN_ON));
}

static bool says_utf8(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

static struct live_style find_style(void)
{
	struct winsize w = { 0 };
	const char *no_color = getenv("NO_COLOR");

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &w);
	return (struct live_style){
		.columns = w.ws_col ? w.ws_col : 80,
		.rows = w.ws_row ? w.ws_row : 24,
		.coloured = !no_color || !*no_color,
		.utf8 = says_utf8(),
	};
}

bool attach_can_be_live(void)
{
	const char *term = getenv("TERM");

	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* false: the terminal is gone. */
static bool write_all(const char *text, size_t n)
{
	while (n > 0) {
		ssize_t w = write(STDOUT_FILENO, text, n);

		if (w < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		if (w > 0) {
			text += w;
			n -= (size_t)w;
		}
	}
	return true;
}

static bool show_frame(struct live *l)
{
	const struct live_style style = find_style();
	cleanup_free char *text = NULL;
	struct live_view v;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return false;
	live_view(l, &v);
	live_view_print(&v, &style, f);
	return fclose(f) == 0 && write_all(text, n);
}

/* q, or the end of what can be typed. */
static bool wants_to_leave(void)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	for (ssize_t i = 0; i < n; i++)
		if (keys[i] == 'q' || keys[i] == 'Q' || keys[i] == 4)
			return true;
	return n < 0 && errno != EINTR && errno != EAGAIN;
}

/* true: leave. */
static bool take_signal(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != sizeof(info))
		return false;
	if (info.ssi_signo == SIGTSTP) {
		give_terminal_back();
		(void)raise(SIGSTOP);
		(void)tcgetattr(STDIN_FILENO, &terminal_before);
		take_terminal();
		return false;
	}
	return info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT;
}

static void watch(struct live *l, int64_t end_ns, int signals)
{
	int64_t next_frame = 0;
	bool leave = false;

	while (!leave) {
		int64_t begin = clock_monotonic_ns();
		struct pollfd p[] = { { STDIN_FILENO, POLLIN, 0 }, { signals, POLLIN, 0 } };

		live_tick(l);
		if (begin >= next_frame || l->gone) {
			leave = !show_frame(l);
			next_frame = begin + FRAME_NS;
		}
		leave = leave || l->gone || (end_ns && begin - l->begin_ns >= end_ns);
		int64_t left = TICK_NS - (clock_monotonic_ns() - begin);
		if (leave || poll(p, 2, left > 0 ? (int)(left / NS_PER_MS) + 1 : 1) <= 0)
			continue;
		if (p[1].revents) {
			leave = take_signal(signals);
			next_frame = 0;
		}
		if (p[0].revents & POLLIN)
			leave = wants_to_leave() || leave;
		else if (p[0].revents)
			leave = true; /* hung up */
	}
}

static void catch_crashes(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	const struct sigaction action = { .sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
		(void)sigaction(crashes[i], &action, NULL);
	(void)atexit(give_terminal_back);
}

int attach_live(const struct foreign *f, int64_t for_ns, struct err *err)
{
	static const int caught[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT };
	struct live l;
	struct live_view v;
	sigset_t mask, before;
	int r = live_open(&l, f, err);

	if (r < 0)
		return r;
	(void)sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(caught) / sizeof(*caught); i++)
		(void)sigaddset(&mask, caught[i]);
	(void)sigprocmask(SIG_BLOCK, &mask, &before);
	cleanup_close int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);

	if (signals < 0 || tcgetattr(STDIN_FILENO, &terminal_before) < 0) {
		r = err_set(err, errno, "cannot use this terminal");
	} else {
		catch_crashes();
		take_terminal();
		watch(&l, for_ns, signals);
		give_terminal_back();
		live_view(&l, &v);
		live_view_summarise(&v, (int)find_style().columns, stdout);
	}
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	live_close(&l);
	return r;
}
