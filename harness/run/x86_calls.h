/* SPDX-License-Identifier: Apache-2.0
 *
 * x86_calls.h - the system calls that newer architectures never had, so that a switch over calls compiles there: as numbers that
 * no call has.
 */
#pragma once
#include <sys/syscall.h>

#ifndef __x86_64__
#define SYS_fork (-1001)
#define SYS_vfork (-1002)
#define SYS_alarm (-1003)
#define SYS_time (-1004)
#define SYS_select (-1005)
#define SYS_poll (-1006)
#define SYS_epoll_wait (-1007)
#endif
