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

int cmd_failed(struct err *err)
{
	int code = err->exit_code ? err->exit_code : EXIT_HARNESS;

	log_status(NULL);
	log_error("%s", err_text(err));
	err_done(err);
	return code;
}
