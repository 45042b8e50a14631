/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run starts: the target's arguments and environment, its load's, and the port on which they meet.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/err.h"
#include "cmd/run_parts.h"
#include "run/owner.h"

#define PORT_WORD "{port}"

static void push_all(struct strv *to, const struct strv *from)
{
	for (size_t i = 0; i < from->n; i++)
		strv_push(to, from->v[i]);
}

static void push_binary(const struct job *j, size_t cell, struct strv *ret_argv)
{
	strv_push(ret_argv, j->cells[cell].build.binary ? j->cells[cell].build.binary : j->scenario->program.name);
}

void job_target_args(const struct job *j, size_t cell, struct strv *ret_argv)
{
	const struct scenario *s = j->scenario;

	if (s->program.kind == PROGRAM_COMMAND)
		push_all(ret_argv, &s->program.command);
	else
		push_binary(j, cell, ret_argv);
	push_all(ret_argv, &s->args);
	if (j->plan->cells[cell].variant) {
		strv_push(ret_argv, "-variant");
		strv_push(ret_argv, j->plan->cells[cell].variant);
	}
}

static const char *const kept_env[] = { "PATH", "HOME", "TMPDIR", "LANG", "USER" };

#define N_KEPT (sizeof(kept_env) / sizeof(*kept_env))

/* All of it, but for what another memtide, of which this one is a target, gave to us alone. */
static void push_own_env(struct strv *ret_env)
{
	static const char *const not_his[] = { OWNER_VARIABLE "=", "MEMTIDE_MARK_FD=", "MEMTIDE_PORT=" };

	for (char **e = environ; *e; e++) {
		bool his = strchr(*e, '=') != NULL;

		for (size_t i = 0; i < sizeof(not_his) / sizeof(*not_his); i++)
			his &= strncmp(*e, not_his[i], strlen(not_his[i])) != 0;
		if (his)
			strv_push(ret_env, *e);
	}
}

bool job_env_is_kept(const struct job *j, const char *name)
{
	static const char *const told[] = { "GODEBUG",	   "GOGC",	      "GOMEMLIMIT",	 "GOMAXPROCS",
					    "GOTRACEBACK", "GLIBC_TUNABLES", "LD_PRELOAD",	 "LD_LIBRARY_PATH" };
	bool kept = !j->recorded || !strncmp(name, "MALLOC_", 7);

	for (size_t i = 0; i < N_KEPT; i++)
		kept |= !strcmp(name, kept_env[i]);
	for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++)
		kept |= !strcmp(name, told[i]);
	return kept;
}

/* Nothing of the user's own environment that a Go runtime would read comes through, but to a command that he records as it is. */
void job_target_env(const struct job *j, size_t cell, struct strv *ret_env)
{
	const struct cell *c = &j->plan->cells[cell];

	/* Whose environment is another's is not asked for. */
	if (j->attach)
		return;
	if (j->recorded)
		push_own_env(ret_env);
	for (size_t i = 0; i < N_KEPT && !j->recorded; i++)
		if (getenv(kept_env[i]))
			strv_pushf(ret_env, "%s=%s", kept_env[i], getenv(kept_env[i]));
	if (c->godebug)
		strv_pushf(ret_env, "GODEBUG=%s", c->godebug);
	for (size_t i = 0; i < c->env.n; i++)
		strv_push(ret_env, c->env.v[i]);
}

void job_load_args(const struct job *j, size_t cell, struct strv *ret_argv)
{
	const struct load *l = &j->scenario->load;

	if (!l->given)
		return;
	if (l->command.n)
		push_all(ret_argv, &l->command);
	else
		push_binary(j, cell, ret_argv);
	push_all(ret_argv, &l->args);
}

/* --- the port --- */

/* The first word of a command is a file, whatever its name. */
static bool mentions_port(const struct strv *words, size_t from)
{
	for (size_t i = from; i < words->n; i++)
		if (strstr(words->v[i], PORT_WORD))
			return true;
	return false;
}

bool job_has_port(const struct job *j)
{
	const struct scenario *s = j->scenario;

	/* The user's own command says what it says. */
	if (j->recorded || j->attach)
		return false;
	return s->ready.port || mentions_port(&s->args, 0) || mentions_port(&s->program.command, 1) || mentions_port(&s->load.args, 0) ||
	       mentions_port(&s->load.command, 1);
}

/* Closed at once, so that the target can have it. Somebody else may have it first: one of some 28 000, and bind() says so. */
int port_pick(uint16_t *ret, struct err *err)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		return err_set(err, errno, "cannot find a free port on 127.0.0.1");
	*ret = ntohs(a.sin_port);
	return 0;
}

static char *with_port(const char *word, uint16_t port)
{
	cleanup_free char *done = xstrdup("");
	const char *at;

	while ((at = strstr(word, PORT_WORD))) {
		char *more = strf("%s%.*s%u", done, (int)(at - word), word, port);

		free(done);
		done = more;
		word = at + strlen(PORT_WORD);
	}
	return strf("%s%s", done, word);
}

void port_fill_in(struct strv *argv, uint16_t port)
{
	for (size_t i = 1; i < argv->n; i++) {
		char *word = with_port(argv->v[i], port);

		free(argv->v[i]);
		argv->v[i] = word;
	}
}
