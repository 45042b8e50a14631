// SPDX-License-Identifier: Apache-2.0

// Go61542 starts a timer of an hour for each of many short waits and never needs it again, as a select with a time.After in
// a loop does. Fixed: one timer for all waits, which is stopped.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"memtide.dev/goprogs/mark"
)

const timeout = time.Hour

func main() {
	variant := flag.String("variant", "leaky", "leaky or fixed")
	waits := flag.Int("waits", 100000, "how many waits")
	flag.Parse()

	done := make(chan bool, 1)
	wait := after
	if *variant == "fixed" {
		wait = stopped
	} else if *variant != "leaky" {
		fmt.Fprintln(os.Stderr, "go61542: -variant is leaky or fixed")
		os.Exit(2)
	}
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	for i := 0; i < *waits; i++ {
		done <- true // what is waited for is there at once
		wait(done)
	}
	runtime.GC()
	mark.Runtime()
	mark.At("after-load")
	for {
		time.Sleep(24 * time.Hour)
	}
}

// after leaves a timer behind that nobody can stop any more.
//
//go:noinline
func after(done chan bool) {
	select {
	case <-done:
	case <-time.After(timeout):
	}
}

// stopped leaves nothing behind.
//
//go:noinline
func stopped(done chan bool) {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}
