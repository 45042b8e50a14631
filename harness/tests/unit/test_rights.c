/* SPDX-License-Identifier: Apache-2.0
 *
 * What is said of a process that may not be read. The cases are those that Debian's 6.1 and 6.12 show with Yama in each scope.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "gostate/rights.h"

#define USER 1000

static void says(struct read_rights r, const char *cause, const char *advice)
{
	struct err cleanup_err err = ERR_INIT;
	const char *text, *second;

	r.pid = 7;
	assert_int_equal(read_rights_refuse(&r, &err), -EPERM);
	text = err_text(&err);
	second = strchr(text, '\n');
	assert_non_null(second);
	if (!strstr(text, cause) || strstr(text, cause) > second || !strstr(second, advice))
		fail_msg("'%s' and '%s' are not in: %s", cause, advice, text);
	assert_true(strstr(text, "process 7 may not be read: ") == text);
}

/* Yama lets /proc/PID/exe be read, whatever its scope. */
static void of_ones_own(void **state)
{
	struct read_rights r = { .owner = USER, .own = USER, .proc_opens = true };

	(void)state;
	r.scope = 1;
	says(r, "kernel.yama.ptrace_scope is 1", "memtide record");
	says(r, "kernel.yama.ptrace_scope is 1", "ptrace_scope=0");
	r.scope = 2;
	says(r, "kernel.yama.ptrace_scope is 2", "as root");
	r.scope = 3;
	says(r, "kernel.yama.ptrace_scope is 3", "not even root");
	r.scope = 0;
	says(r, "security module or a seccomp filter", "SYS_PTRACE");
	r.scope = -1;
	says(r, "security module or a seccomp filter", "SYS_PTRACE");
}

/* It is not for Yama that this one cannot be read. */
static void of_one_that_is_unreadable(void **state)
{
	struct read_rights r = { .owner = USER, .own = USER, .proc_opens = false };

	(void)state;
	for (r.scope = -1; r.scope <= 2; r.scope++)
		says(r, "made itself unreadable", "as root");
	r.scope = 3;
	says(r, "kernel.yama.ptrace_scope is 3", "not even root");
}

/* As that user it would be refused again where Yama forbids it. */
static void of_another_user(void **state)
{
	struct read_rights r = { .owner = USER, .own = USER + 1 };

	(void)state;
	r.scope = -1;
	says(r, "belongs to user 1000", "as that user, or as root");
	r.scope = 0;
	says(r, "belongs to user 1000", "as that user, or as root");
	r.scope = 1;
	says(r, "belongs to user 1000", "as root (kernel.yama.ptrace_scope, which is 1,");
	r.scope = 2;
	says(r, "belongs to user 1000", "as root (kernel.yama.ptrace_scope, which is 2,");
	r.scope = 3;
	says(r, "kernel.yama.ptrace_scope is 3", "not even root");
}

/* To be told to be root helps nobody who is. */
static void as_root(void **state)
{
	struct read_rights r = { .owner = USER, .own = 0 };

	(void)state;
	for (r.scope = -1; r.scope <= 2; r.scope++)
		says(r, "lacks CAP_SYS_PTRACE", "--cap-add SYS_PTRACE");
	r.owner = 0;
	r.proc_opens = true;
	r.scope = 2;
	says(r, "lacks CAP_SYS_PTRACE", "--cap-add SYS_PTRACE");
	r.capable = true;
	says(r, "security module or a seccomp filter", "SYS_PTRACE");
	r.scope = 3;
	says(r, "kernel.yama.ptrace_scope is 3", "not even root");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_ones_own),
		cmocka_unit_test(of_one_that_is_unreadable),
		cmocka_unit_test(of_another_user),
		cmocka_unit_test(as_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
