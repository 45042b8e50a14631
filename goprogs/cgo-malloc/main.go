// SPDX-License-Identifier: Apache-2.0

// Cgo-malloc has C code work on buffers of 8 MB, 24 times. To Go's own accounting not a byte of it exists.
//
//	leaky   each call leaves its buffer behind
//	freed   each call frees it, and all are made by one thread
//	arenas  each call frees it, but each is made by another thread, as it happens to goroutines
//
// The C library's malloc has the first buffer mapped, and its free unmaps it; then it takes buffers of that size for common, and
// cuts them from the thread's arena, of which it keeps up to twice that size (M_MMAP_THRESHOLD and M_TRIM_THRESHOLD in mallopt(3)).
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

/*
#include <stdlib.h>

enum { PAGE_SIZE = 4096 };

// volatile: or the compiler finds that nobody reads the buffer, and leaves it alone.
static void work(size_t bytes, int leak)
{
	volatile char *buffer = malloc(bytes);

	if (!buffer)
		abort();
	for (size_t i = 0; i < bytes; i += PAGE_SIZE)
		buffer[i] = 1;
	if (!leak)
		free((void *)buffer);
}
*/
import "C"

import (
	"runtime"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const (
	calls  = 24
	buffer = 8 << 20
)

func main() {
	variant := args.Variant("leaky", "freed", "arenas")
	turn := make(chan bool)
	threads, leak := 1, C.int(0)
	switch variant {
	case "leaky":
		leak = 1
	case "arenas":
		threads = calls
	}
	for i := 0; i < threads; i++ {
		go worker(turn, leak)
	}

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := 0; i < calls; i++ {
		turn <- true
		time.Sleep(time.Second)
	}
	mark.At("after-load")

	time.Sleep(5 * time.Minute)
	mark.Runtime()
	mark.Idle()
}

// worker makes a call of C whenever it is its turn, always from the same thread.
func worker(turn chan bool, leak C.int) {
	runtime.LockOSThread()
	for range turn {
		C.work(buffer, leak)
	}
}
