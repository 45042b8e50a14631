// SPDX-License-Identifier: Apache-2.0

// Package mark announces the phases of a program to memtide, and tells it numbers.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer, and little of the library at all.
package mark

import (
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"
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
	say("mark: ", name+"\n")
}

// Value tells a number, which is not negative: memtide makes a metric of the last one of each name that it knows.
func Value(name string, n int64) {
	say("value: ", name+"="+strconv.FormatInt(n, 10)+"\n")
}

// Runtime tells what the Go runtime accounts for now. It stops the world for a moment, and collects nothing.
func Runtime() {
	var m runtime.MemStats
	goroutines := runtime.NumGoroutine()
	runtime.ReadMemStats(&m)
	Value("goroutines", int64(goroutines))
	Value("heap_inuse", int64(m.HeapInuse))
	Value("heap_released", int64(m.HeapReleased))
	Value("stacks", int64(m.StackInuse))
	Value("profile_buckets", int64(m.BuckHashSys))
	Value("gc_count", int64(m.NumGC))
}

// Idle does nothing until the program is ended from outside. No ticker: a timer that fires keeps the runtime's monitor from its deep
// sleep, and with it changes what is measured.
func Idle() {
	for {
		time.Sleep(24 * time.Hour)
	}
}

func say(label, line string) {
	if !supervised {
		line = label + line
	}
	// One write, and no os.File: its finalizer would close the descriptor, and a broken pipe must not end the program.
	_, _ = syscall.Write(fd, []byte(line))
}
