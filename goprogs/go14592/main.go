// SPDX-License-Identifier: Apache-2.0

// Go14592 has many goroutines in blocking system calls at the same time, each of which occupies a thread, and ends them all.
// The threads stay.
//
//	-variant blocking  all at the same time
//	-variant bounded   at most 8 of them at the same time
//	-variant locked    all at the same time, each goroutine locked to its thread, and ended without unlocking it
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"memtide.dev/goprogs/mark"
)

func main() {
	variant := flag.String("variant", "blocking", "blocking, bounded or locked")
	calls := flag.Int("calls", 200, "how many blocking calls")
	flag.Parse()

	at := *calls
	if *variant == "bounded" {
		at = 8
	} else if *variant != "blocking" && *variant != "locked" {
		fmt.Fprintln(os.Stderr, "go14592: -variant is blocking, bounded or locked")
		os.Exit(2)
	}
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	for left := *calls; left > 0; left -= at {
		var pipe [2]int
		if err := syscall.Pipe(pipe[:]); err != nil {
			fmt.Fprintln(os.Stderr, "go14592: pipe:", err)
			os.Exit(1)
		}
		var wg sync.WaitGroup
		wg.Add(at)
		for i := 0; i < at; i++ {
			go func() {
				defer wg.Done()
				if *variant == "locked" {
					runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
				}
				syscall.Read(pipe[0], make([]byte, 1)) // not by os.File, which would wait without a thread
			}()
		}
		time.Sleep(time.Second)
		if at == *calls {
			mark.At("blocked") // all threads are there, and have a second in which they can be counted
			time.Sleep(time.Second)
		}
		syscall.Close(pipe[1]) // ends all reads
		wg.Wait()
		syscall.Close(pipe[0])
	}
	mark.At("after-load")
	for {
		time.Sleep(24 * time.Hour)
	}
}
