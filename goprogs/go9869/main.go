// SPDX-License-Identifier: Apache-2.0

// Go9869 starts many goroutines, lets them all wait, and ends them all. Their stacks can be used for something else
// afterwards; the runtime's own record of each goroutine is kept for the next one, for ever.
//
//	-variant at-once  all goroutines live at the same time
//	-variant pool     the same work by a few goroutines
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"memtide.dev/goprogs/mark"
)

func main() {
	variant := flag.String("variant", "at-once", "at-once or pool")
	tasks := flag.Int("tasks", 50000, "how many tasks, and goroutines")
	flag.Parse()

	at := 0
	switch *variant {
	case "at-once":
		at = *tasks
	case "pool":
		at = 100
	default:
		fmt.Fprintln(os.Stderr, "go9869: -variant is at-once or pool")
		os.Exit(2)
	}
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	for left := *tasks; left > 0; left -= at {
		var wg sync.WaitGroup
		gate := make(chan bool)
		wg.Add(at)
		for i := 0; i < at; i++ {
			go func() {
				<-gate
				wg.Done()
			}()
		}
		if at == *tasks {
			time.Sleep(time.Second) // all of them wait, and the peak can be seen
			mark.At("dropped")
		}
		close(gate)
		wg.Wait()
	}
	time.Sleep(time.Second) // until all of them have really ended, not only said so
	// Twice: the collection frees the stacks at its very end, when the first call may have looked at what is free already.
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	mark.Runtime()
	mark.At("after-load")
	for {
		time.Sleep(24 * time.Hour)
	}
}
