// SPDX-License-Identifier: Apache-2.0

// Profile allocates from many different deep stacks. The heap profiler keeps one record for each stack that it has seen, for
// ever, outside of the heap; how much of a stack is part of the record is up to the Go release.
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

const stacks = 20000

var sink []byte

// walk calls itself by two ways, which the bits of path choose, and allocates below.
//
//go:noinline
func walk(path uint, calls, bottom int) {
	switch {
	case calls == 0:
		descend(bottom)
	case path&1 == 0:
		walk(path>>1, calls-1, bottom)
	default:
		walk(path>>1, calls-1, bottom)
	}
}

// descend calls itself by one way.
//
//go:noinline
func descend(calls int) {
	if calls == 0 {
		sink = make([]byte, 64)
		return
	}
	descend(calls - 1)
}

func main() {
	variant := flag.String("variant", "deep", "deep: stacks differ above their 60 innermost calls; shallow: of 24 calls; off: no profiler")
	flag.Parse()

	runtime.MemProfileRate = 1 // every allocation, not one in 512 kB: what a service meets in weeks
	bottom := 60
	switch *variant {
	case "off":
		runtime.MemProfileRate = 0
	case "shallow":
		bottom = 0
	}
	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := uint(0); i < stacks; i++ {
		walk(i, 20, bottom)
		if i%1000 == 0 {
			time.Sleep(time.Second)
		}
	}
	mark.At("after-load")
	sink = nil
	debug.FreeOSMemory()
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}
