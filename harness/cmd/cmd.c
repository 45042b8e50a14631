/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include <argp.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"

void cmd_parse(const struct argp *argp, int argc, char **argv, void *input)
{
	cleanup_free char *name = strf("memtide %s", argv[0]);
	char *given = argv[0];

	argv[0] = name;
	if (argp_parse(argp, argc, argv, 0, NULL, input))
		exit(EXIT_USAGE);
	argv[0] = given;
}

int cmd_dir_option(int key, char *arg, struct argp_state *state, struct dir_options *o)
{
	switch (key) {
	case 'r':
		o->results = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->dir)
			argp_error(state, "one DIR at a time");
		o->dir = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int cmd_failed(struct err *err)
{
	int code = err->exit_code ? err->exit_code : EXIT_HARNESS;

	log_status(NULL);
	log_error("%s", err_text(err));
	err_done(err);
	return code;
}
