// SPDX-License-Identifier: Apache-2.0

// Goroutine-leak starts 100 000 goroutines that do nothing. Either they wait for ever in an empty select (-variant blocked),
// or they end when all are there (ended): then the next garbage collection gives their stacks back to the heap, and what
// describes each goroutine stays. In a process that has never collected (never-collected) that next collection does not
// come: neither stacks nor what the runtime allocates for goroutines starts one, and the runtime forces one every two
// minutes only after the first.
package main

import (
	"flag"
	"os"
	"runtime"
	"time"

	"memtide.dev/goprogs/mark"
)

const steps, goroutines = 50, 2000 // 2 000 goroutines at a time

func main() {
	variant := flag.String("variant", "blocked", "blocked, ended or never-collected")
	flag.Parse()
	end := make(chan struct{})
	wait := func() { select {} }
	switch *variant {
	case "blocked":
	case "ended", "never-collected":
		wait = func() { <-end }
	default:
		os.Exit(2)
	}
	if *variant != "never-collected" {
		runtime.GC() // as any service has, that did something before
	}
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < steps; i++ {
		for j := 0; j < goroutines; j++ {
			go wait()
		}
		time.Sleep(3 * time.Minute / steps)
	}
	mark.At("loaded")
	time.Sleep(5 * time.Second)
	if *variant == "blocked" {
		mark.At("after-load")
	} else {
		close(end)
		mark.At("dropped")
	}
	// Nothing is told from here: what that allocates would start the collection that never-collected is without.
	for {
		time.Sleep(24 * time.Hour)
	}
}
