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
int cmd_show(int argc, char **argv);
int cmd_plot(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_corpus(int argc, char **argv);

/* Parses with argp; on a wrong option argp itself prints and this exits with EXIT_USAGE. */
struct argp;
void cmd_parse(const struct argp *argp, int argc, char **argv, void *input);

/* Prints the error once, as log_error() does, and gives the exit code for it. */
struct err;
int cmd_failed(struct err *err);
