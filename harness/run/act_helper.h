/* SPDX-License-Identifier: Apache-2.0
 *
 * act_helper.h - memtide's own program as the helper of an act (act.h): `memtide HELPER_WORD ...`, not for people.
 *
 *     touch BYTES                 touches so much, says so, and keeps it until it is killed
 *     write FILE TEXT [FILE TEXT...]   writes each text into its file, in this order, up to the first that fails
 * It says "ok", or the errno and what failed, in one line on standard output.
 */
#pragma once

#define HELPER_WORD "act-helper"
#define HELPER_OK "ok\n"

/* argv[0]: HELPER_WORD. The exit code. */
int act_helper_main(int argc, char **argv);
