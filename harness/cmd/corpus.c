/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus.c - `memtide corpus run`, `memtide corpus show`, `memtide corpus mutate`.
 */
#include <argp.h>
#include <string.h>

#include "base/err.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "cmd/corpus_parts.h"

static const struct action {
	const char *name;
	char *title; /* argp names it in its messages */
	int (*run)(int argc, char **argv);
} actions[] = {
	{ "run", (char[]){ "corpus run" }, corpus_run },
	{ "show", (char[]){ "corpus show" }, corpus_show },
	{ "mutate", (char[]){ "corpus mutate" }, corpus_mutate },
};

#define N_ACTIONS (sizeof(actions) / sizeof(*actions))

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_ARG && key != ARGP_KEY_END)
		return ARGP_ERR_UNKNOWN;
	if (key == ARGP_KEY_END && state->arg_num == 0)
		argp_error(state, "say what to do: run, show or mutate");
	return 0;
}

static const struct argp argp = {
	NULL,
	parse_option,
	"run [SCENARIO...]\nshow [DIR]\nmutate [DIR]",
	"All scenarios at once: runs them on every release, shows what became of the memory in one table and one picture, and checks "
	"that their expectations notice what they are there for.\v`memtide corpus run --help` tells an action's options.",
	NULL,
	NULL,
	NULL,
};

int cmd_corpus(int argc, char **argv)
{
	const char *word = argc > 1 && *argv[1] != '-' ? argv[1] : NULL, *names[N_ACTIONS];
	struct err cleanup_err err = ERR_INIT;

	for (size_t i = 0; i < N_ACTIONS; i++) {
		names[i] = actions[i].name;
		if (!word || strcmp(word, actions[i].name))
			continue;
		argv[1] = actions[i].title;
		return actions[i].run(argc - 1, argv + 1);
	}
	if (!word) {
		cmd_parse(&argp, argc, argv, NULL);
		return EXIT_USAGE;
	}

	const char *near = nearest_word(word, names, N_ACTIONS);

	(void)err_usage(&err, near ? "there is no `memtide corpus %s`: did you mean '%s'?" : "there is no `memtide corpus %s`: it is run, show or mutate",
			word, near);
	return cmd_failed(&err);
}
