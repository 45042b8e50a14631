// SPDX-License-Identifier: Apache-2.0

// Go62449 runs with GOGC=off, so that a memory limit alone says when garbage is collected and how much is kept. It fills its
// memory almost to the limit, drops most of it, and collects. The background scavenger is meant to go to 95 % of the limit
// then; only an allocation that would exceed the limit makes room without it.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"runtime"
	"runtime/debug"
	"time"

	"memtide.dev/goprogs/mark"
)

const pageSize = 4096

// kept, spike and holes make it explicit what is alive.
var kept, spike, holes [][]byte

func main() {
	size := flag.Int("mb", 193, "how many MB to fill")
	flag.Parse()
	debug.SetGCPercent(-1)
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	kept, spike = take(30), take(*size-30)
	mark.At("loaded")
	holes = nil
	runtime.GC()
	runtime.GC()
	time.Sleep(time.Second)

	spike = nil
	mark.At("dropped")
	runtime.GC()
	mark.Runtime()
	for {
		time.Sleep(5 * time.Second) // keeps the runtime's monitor, which wakes the scavenger, from sleeping for a minute
	}
}

// take fills n MB, every page of them touched. The holes are there so that no part of the heap is full of what take returns:
// Go 1.21 and later leave a full part alone for a cycle.
//
//go:noinline
func take(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = make([]byte, 15<<16)
		for j := 0; j < len(all[i]); j += pageSize {
			all[i][j] = 1
		}
		holes = append(holes, make([]byte, 1<<16))
		for j := 0; j < 1<<16; j += pageSize {
			holes[len(holes)-1][j] = 1
		}
	}
	return all
}
