/* SPDX-License-Identifier: Apache-2.0 */
#include "run/tee.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/units.h"
#include "run/clock.h"

struct tee *tee_new(int fd, void (*ready)(void *arg), void *arg)
{
	struct tee *t = xcalloc(1, sizeof(*t));

	t->fd = fd;
	t->ready = ready;
	t->arg = arg;
	return t;
}

static void give_up(struct tee *t, int errnum)
{
	t->errnum = errnum;
	t->n = t->at = 0;
}

/* What can be written without waiting. A descriptor with POLLOUT takes PIPE_BUF bytes at once (pipe(7)); it is not made non-blocking,
 * because a shell and others share it. true: nothing is left. */
static bool pump(struct tee *t, int wait_ms)
{
	while (t->at < t->n) {
		struct pollfd p = { .fd = t->fd, .events = POLLOUT };
		size_t left = t->n - t->at;
		ssize_t w;

		if (poll(&p, 1, wait_ms) <= 0)
			return false;
		w = write(t->fd, t->block + t->at, left < PIPE_BUF ? left : PIPE_BUF);
		if (w >= 0)
			t->at += (size_t)w;
		else if (errno == EAGAIN)
			return false;
		else if (errno != EINTR)
			give_up(t, errno);
	}
	t->n = t->at = 0;
	return true;
}

static int on_room(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct tee *t = arg;

	(void)fd;
	(void)events;
	if (!pump(t, 0))
		return 0;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	t->ready(t->arg);
	return 0;
}

bool tee_add(struct tee *t, sd_event *event, const char *data, size_t n)
{
	if (t->errnum)
		return true;
	memcpy(t->block, data, n);
	t->n = n;
	t->at = 0;
	if (pump(t, 0))
		return true;
	if (t->room)
		return sd_event_source_set_enabled(t->room, SD_EVENT_ON) < 0;

	int r = sd_event_add_io(event, &t->room, t->fd, EPOLLOUT, on_room, t);

	if (r < 0)
		give_up(t, -r);
	return r < 0;
}

void tee_finish(struct tee *t, int *left_ms)
{
	while (t->at < t->n && *left_ms > 0) {
		int64_t from = clock_monotonic_ns();

		if (!pump(t, *left_ms < 100 ? *left_ms : 100))
			*left_ms -= 1 + (int)((clock_monotonic_ns() - from) / NS_PER_MS);
	}
	if (t->at < t->n)
		give_up(t, ETIMEDOUT);
}

struct tee *tee_free(struct tee *t)
{
	if (!t)
		return NULL;
	if (t->room)
		(void)sd_event_source_set_enabled(t->room, SD_EVENT_OFF);
	t->room = sd_event_source_unref(t->room);
	free(t);
	return NULL;
}
