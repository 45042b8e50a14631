/* SPDX-License-Identifier: Apache-2.0
 *
 * memtide.c - options common to all commands, the command table, and the exit code.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "run/act_helper.h"

const char *argp_program_version = "memtide " MEMTIDE_VERSION;

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "run", cmd_run, "run scenarios, record, analyse and draw them" },
	{ "list", cmd_list, "the scenarios there are" },
	{ "doctor", cmd_doctor, "whether this machine measures right, and what mends it" },
	{ "go", cmd_go, "go list, go fetch: the Go toolchains" },
	{ "show", cmd_show, "the table of a campaign" },
	{ "attach", cmd_attach, "watch a process that runs: live, or as a record" },
	{ "record", cmd_record, "run any command and record it" },
	{ "plot", cmd_plot, "draw a campaign's figures again" },
	{ "mark", cmd_mark, "add a mark to a finished run" },
	{ "export", cmd_export, "a campaign as CSV or JSON" },
	{ "diagnose", cmd_diagnose, "why the memory is there, and what would give it back" },
	{ "corpus", cmd_corpus, "all scenarios at once: run, show, mutate" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(*commands))

struct options {
	int command; /* index in argv, 0: none given */
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	(void)arg;
	switch (key) {
	case 'q':
		log_quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		o->command = state->next - 1;
		state->next = state->argc;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "quiet", 'q', NULL, 0, "print results and errors only", 0 },
	{ 0 },
};

static char *help_filter(int key, const char *text, void *input)
{
	char *out = NULL;
	size_t n = 0;

	if (key != ARGP_KEY_HELP_POST_DOC)
		return (char *)text;
	(void)input;
	FILE *f = open_memstream(&out, &n);
	if (!f)
		return (char *)text;
	fputs("Commands:\n", f);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(f, "  %-9s %s\n", commands[i].name, commands[i].summary);
	fputs("\n`memtide COMMAND --help` tells a command's options.\n\n"
	      "Exit codes: 0 as expected; 1 an expectation failed; 2 usage or scenario error; 3 inconclusive; 125 the harness itself failed.",
	      f);
	fclose(f);
	return out;
}

static const struct argp main_argp = {
	option_table,
	parse_option,
	"COMMAND [ARGUMENT...]",
	"Runs Go programs under many Go releases, each in its own memory-limited cgroup, and shows what their resident memory does.\v",
	NULL,
	help_filter,
	NULL,
};

/* The command of that name, or NULL, which was told. */
static const struct command *command_named(const char *name)
{
	const char *names[N_COMMANDS];

	for (size_t i = 0; i < N_COMMANDS; i++) {
		names[i] = commands[i].name;
		if (!strcmp(name, names[i]))
			return &commands[i];
	}
	const char *near = nearest_word(name, names, N_COMMANDS);
	log_error(near ? "there is no command '%s': did you mean '%s'?" : "there is no command '%s'; `memtide --help` lists them",
		  name, near);
	return NULL;
}

/* `memtide help [COMMAND]`: what --help tells. argv[0] is "help". */
static int help(int argc, char **argv, char *program)
{
	if (argc < 2 || !strcmp(argv[1], "help")) {
		argp_help(&main_argp, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK, program);
		return 0;
	}
	const struct command *command = command_named(argv[1]);

	if (!command)
		return EXIT_USAGE;
	char option[] = "--help", *args[] = { argv[1], option, NULL };

	return command->run(2, args);
}

int main(int argc, char **argv)
{
	struct options o = { 0 };

	if (argc > 1 && !strcmp(argv[1], HELPER_WORD))
		return act_helper_main(argc - 1, argv + 1);
	argp_err_exit_status = EXIT_USAGE;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* inherited as ignored, it would hide how every child ended */
	if (argp_parse(&main_argp, argc, argv, ARGP_IN_ORDER, NULL, &o))
		return EXIT_USAGE;
	if (!o.command) {
		argp_help(&main_argp, stderr, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK, argv[0]);
		return EXIT_USAGE;
	}

	if (!strcmp(argv[o.command], "help"))
		return help(argc - o.command, argv + o.command, argv[0]);
	const struct command *command = command_named(argv[o.command]);

	return command ? command->run(argc - o.command, argv + o.command) : EXIT_USAGE;
}
