/* SPDX-License-Identifier: Apache-2.0
 *
 * What the sampler reads of a target's Go runtime.
 */
#include <sched.h>
#include <string.h>

#include "gostate/counters.h"
#include "run/sampler_parts.h"

#define LOOK_NS FAST_PROBE_NS
#define LOOK_APART_NS NS_PER_MS /* of real time: a virtual clock makes 10 ms of a target's time pass in some us */

/* ---- who has taken the slot: from here to the next line of this kind nothing allocates, locks or prints --------------------------- */

static void store(struct sampler_inside *in, const struct go_row *row)
{
	uint32_t at;

	if (!ring_push(&in->ring, GO_RING, &at)) {
		in->lost++;
		return;
	}
	in->buf[at] = *row;
	ring_publish(&in->ring);
	in->last = *row;
}

void sampler_inside_gap(struct sampler_inside *in, int64_t t_ns)
{
	struct go_row row;

	if (!in->known)
		return;
	memset(&row, 0xff, sizeof(row));
	row.t_ns = t_ns;
	store(in, &row);
	in->known = false;
}

static void look(struct sampler_inside *in, const struct go_target *t, int64_t t_ns)
{
	struct go_row row = { .t_ns = t_ns };

	switch (go_counters_read(t, &row.c)) {
	case GO_LOOK_OK:
		in->readings++;
		if (!in->known || memcmp(&row.c, &in->last.c, sizeof(row.c)) || t_ns - in->last.t_ns >= KEEP_ALIVE_NS)
			store(in, &row);
		in->known = true;
		in->racing = false;
		break;
	case GO_LOOK_RACED:
		in->readings++;
		in->raced++;
		/* What was seen last does not hold for ever; but what a virtual clock has just skipped, it held for. */
		if (!in->racing)
			in->racing_ns = t_ns;
		in->racing = true;
		if (t_ns - in->racing_ns > 2 * KEEP_ALIVE_NS)
			sampler_inside_gap(in, t_ns);
		break;
	case GO_LOOK_GONE:
		sampler_inside_gap(in, t_ns);
		in->gone = true;
		break;
	case GO_LOOK_EARLY:
		break;
	}
}

void sampler_inside_look_if_due(struct sampler_inside *in, int64_t t_ns, bool said, int64_t until_ns)
{
	/* What is seen before a jump stands for all that is skipped, however short ago the look before it was: there may be none yet, as of a
	 * program that was last seen while its runtime set itself up, or one in the midst of what it did before it fell asleep. */
	bool jumps = until_ns > t_ns, at_once = said || (jumps && (!in->known || in->racing || until_ns - t_ns >= KEEP_ALIVE_NS));
	int64_t now;

	if ((jumps ? until_ns : t_ns) < in->next_ns && !at_once)
		return;
	now = clock_monotonic_ns();
	if (now - in->looked_ns < LOOK_APART_NS && !at_once)
		return;
	/* In hand before it is looked at: who takes it away sees the one or is seen by the other. */
	atomic_store(&in->in_hand, 1);
	const struct go_target *t = atomic_load(&in->target);

	uint32_t which = atomic_load(&in->targets);

	if (!t || which != in->which) {
		sampler_inside_gap(in, t_ns);
		in->which = which;
		in->gone = false;
	}
	if (t && !in->gone)
		look(in, t, t_ns);
	atomic_store(&in->in_hand, 0);
	in->next_ns = t_ns + LOOK_NS;
	in->looked_ns = now;
}

/* ---- the main thread --------------------------------------------------------------------------------------------------------------- */

void sampler_inside_set(struct sampler_inside *in, const struct go_target *target)
{
	atomic_store(&in->target, NULL);
	while (atomic_load(&in->in_hand))
		(void)sched_yield();
	atomic_fetch_add(&in->targets, 1);
	atomic_store(&in->target, target);
}

static void hand_over(const struct sampler_sink *sink, const struct go_row *row)
{
	sink->go(sink->arg, row);
}

uint32_t sampler_inside_rows(const struct sampler_inside *in)
{
	return ring_head(&in->ring);
}

void sampler_inside_drain(struct sampler_inside *in, uint32_t until, const struct sampler_sink *sink)
{
	RING_DRAIN(&in->ring, until, in->buf, GO_RING, hand_over, sink);
}
