/* SPDX-License-Identifier: Apache-2.0
 *
 * The options that `run` and `corpus run` share.
 */
#include <argp.h>

#include "base/err.h"
#include "base/units.h"
#include "cmd/run_parts.h"
#include "run/sampler.h"

#define DEFAULT_RATE_HZ 1000

void run_options_init(struct run_options *o)
{
	*o = (struct run_options){ .out = "results", .rate_hz = DEFAULT_RATE_HZ };
}

unsigned run_option_count(struct argp_state *state, const char *name, const char *text, uint64_t min, uint64_t max)
{
	struct err err = ERR_INIT;
	uint64_t n = 0;

	if (parse_count(text, min, max, &n, &err) < 0)
		argp_error(state, "--%s: %s", name, err_text(&err));
	return (unsigned)n;
}

int run_option_parse(int key, char *arg, struct argp_state *state)
{
	struct run_options *o = state->input;

	switch (key) {
	case OPT_GO:
		o->go_list = arg;
		return 0;
	case OPT_REPEAT:
		o->repeat = run_option_count(state, "repeat", arg, 1, 1000);
		return 0;
	case OPT_OUT:
		if (!*arg)
			argp_error(state, "--out: name a folder");
		o->out = arg;
		return 0;
	case OPT_JOBS:
		o->jobs = run_option_count(state, "jobs", arg, 1, SAMPLER_TARGETS_MAX);
		return 0;
	case OPT_SEED:
		o->seed_given = true;
		o->seed = run_option_count(state, "seed", arg, 1, UINT32_MAX);
		return 0;
	case OPT_RESUME:
		o->resume = true;
		return 0;
	case OPT_NO_PLOT:
		o->no_plot = true;
		return 0;
	case ARGP_KEY_ARG:
		strv_push(&o->scenarios, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void run_option_take(struct run_options *o, int key, char *arg, struct argp_state *state)
{
	void *input = state->input;

	state->input = o;
	(void)run_option_parse(key, arg, state);
	state->input = input;
}
