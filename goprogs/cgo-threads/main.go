// SPDX-License-Identifier: Apache-2.0

// Cgo-threads calls C functions that block, as a database driver, a resolver or an image library does. While a call is in C its
// thread can run nothing else, so Go makes another one, and never ends a thread that it has made.
//
//	leaky      some hundred calls at once: as many threads, and they stay
//	semaphore  the same calls, at most 8 at once
//	limit      calls without end: the runtime ends the program when it would need a thread more than -max
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

/*
#include <time.h>

// Again and again, because signals of the Go runtime (SIGURG, by which it preempts from 1.14 on) cut sleeps in C short.
static void block(int seconds)
{
	struct timespec left = { seconds, 0 };

	while (nanosleep(&left, &left) != 0)
		;
}
*/
import "C"

import (
	"flag"
	"runtime/debug"
	"sync"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

func main() {
	calls := flag.Int("calls", 200, "how many calls of 10 s each, ten begin each 100 ms")
	max := flag.Int("max", 10000, "how many threads the runtime allows; 10000 is its own default")
	variant := args.Variant("leaky", "semaphore", "limit")

	debug.SetMaxThreads(*max)
	atOnce, every, takes := *calls, 100*time.Millisecond, 10*time.Second
	switch variant {
	case "semaphore":
		atOnce = 8
	case "limit":
		*calls, every, takes = 2**max, 0, time.Hour
		atOnce = *calls
	}

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := 0; i < *calls; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			slots <- struct{}{}
			C.block(C.int(takes / time.Second))
			<-slots
		}()
		if i%10 == 9 {
			time.Sleep(every)
		}
	}
	all.Wait()
	mark.At("after-load")

	time.Sleep(4 * time.Minute)
	mark.Runtime()
	mark.Idle()
}
