/* SPDX-License-Identifier: Apache-2.0
 *
 * cmd.h - the commands. Each takes argc/argv from its own name on, prints its result to stdout and its errors to stderr, and
 * returns the exit code (base/err.h).
 */
#pragma once

int cmd_run(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_go(int argc, char **argv);
int cmd_attach(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_mark(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_corpus(int argc, char **argv);
int cmd_diagnose(int argc, char **argv);

/* Parses with argp; on a wrong option argp itself prints and this exits with EXIT_USAGE. */
struct argp;
void cmd_parse(const struct argp *argp, int argc, char **argv, void *input);

/* [DIR] and --results of the commands that read a folder. */
struct dir_options {
	const char *dir;     /* borrowed; NULL: the newest */
	const char *results; /* borrowed: where that is looked for */
};
/* Their argp keys: 'r' and the argument. */
struct argp_state;
int cmd_dir_option(int key, char *arg, struct argp_state *state, struct dir_options *o);

/* Prints the error once, as log_error() does, and gives the exit code for it. */
struct err;
int cmd_failed(struct err *err);
