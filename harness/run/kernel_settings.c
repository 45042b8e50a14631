/* SPDX-License-Identifier: Apache-2.0 */
#include "run/kernel_settings.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
#define UNLESS_EQUAL(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))

/* Programs of another architecture (32 bits) have other numbers, and their own way. */
static const struct sock_filter filter[] = {
	LOAD(offsetof(struct seccomp_data, arch)),
	UNLESS_EQUAL(ARCH, 5),
	LOAD(offsetof(struct seccomp_data, nr)),
	UNLESS_EQUAL(SYS_madvise, 3),
	LOAD(offsetof(struct seccomp_data, args) + 2 * 8), /* the low half of the third argument, on a little-endian machine */
	UNLESS_EQUAL(MADV_FREE, 1),
	RETURN(SECCOMP_RET_ERRNO | EINVAL),
	RETURN(SECCOMP_RET_ALLOW),
};

static long set_filter(void)
{
	const struct sock_fprog program = { sizeof(filter) / sizeof(*filter), (struct sock_filter *)filter };

	/* Without SPEC_ALLOW older kernels make a filtered process pay for speculation barriers. */
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
}

const char *kernel_settings_apply(const struct kernel_settings *s)
{
	if (s->thp_never && prctl(PR_SET_THP_DISABLE, 1UL, 0UL, 0UL, 0UL) < 0)
		return "forbid huge pages (PR_SET_THP_DISABLE, Linux 3.15)";
	if (!s->madv_free_refused || set_filter() == 0)
		return NULL;
	/* Who is not root has to renounce the rights of setuid programs first. */
	if (errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0 && set_filter() == 0)
		return NULL;
	return "refuse MADV_FREE (a seccomp filter, Linux 4.14)";
}
