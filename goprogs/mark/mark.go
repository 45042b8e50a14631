// SPDX-License-Identifier: Apache-2.0

// Package mark announces the phases of a program to memtide.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer, and little of the library at all.
package mark

import (
	"os"
	"strconv"
	"syscall"
)

// fd is where marks go: what MEMTIDE_MARK_FD names, else 2.
var fd, supervised = inherited()

func inherited() (int, bool) {
	n, err := strconv.Atoi(os.Getenv("MEMTIDE_MARK_FD"))
	if err != nil || n < 0 {
		return 2, false
	}
	return n, true
}

// At announces that the phase name begins here: to the supervisor, or to standard error where there is none.
// A mark never fails the program: one that cannot be delivered is lost.
func At(name string) {
	line := name + "\n"
	if !supervised {
		line = "mark: " + line
	}
	// One write, and no os.File: its finalizer would close the descriptor, and a broken pipe must not end the program.
	_, _ = syscall.Write(fd, []byte(line))
}
