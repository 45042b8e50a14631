/* SPDX-License-Identifier: Apache-2.0
 *
 * tee.h - what a target prints, passed on to one of memtide's own descriptors while it is recorded.
 *
 * The event loop never waits for who reads there: what does not fit is kept (one block), and the caller reads no more of the target
 * until `ready` is called, so that a slow reader slows the target and not memtide, as a pipe between the two would. Main
 * thread only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#define TEE_BLOCK 65536

struct tee {
	int fd;                /* borrowed: 1 or 2 */
	int errnum;            /* why nothing is passed on any more; 0: it is */
	size_t n, at;          /* in block: what came, what of it is passed on */
	sd_event_source *room; /* owned: there is room again */
	void (*ready)(void *arg);
	void *arg;
	char block[TEE_BLOCK];
};

/* ready: called from the loop when all that was kept is passed on, after a tee_add() that said false. */
struct tee *tee_new(int fd, void (*ready)(void *arg), void *arg);
/* n: at most TEE_BLOCK, and nothing may be kept. false: read no more before ready(). */
bool tee_add(struct tee *t, sd_event *event, const char *data, size_t n);
/* At the end, out of the loop: waits for the reader, in all at most *left_ms, which is counted down. */
void tee_finish(struct tee *t, int *left_ms);
/* NULL-safe; returns NULL. */
struct tee *tee_free(struct tee *t);
