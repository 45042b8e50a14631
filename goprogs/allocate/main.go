// SPDX-License-Identifier: Apache-2.0

// Allocate takes memory, touches every page, drops it, and is idle from then on. What its resident memory does after the
// drop is up to the Go release, its settings and the kernel.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"runtime/debug"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const pageSize = 4096

// sink makes it explicit what is alive: with local variables it would be for each release's compiler to decide, and the
// peak of one and the same program would differ from run to run.
var sink [][]byte

func main() {
	sizes := args.Sizes{100 << 20, 200 << 20, 500 << 20}
	flag.Var(&sizes, "sizes", "what to allocate, one after the other")
	hold := flag.Duration("hold", time.Second, "how long everything stays alive")
	free := flag.Bool("free", false, "call debug.FreeOSMemory() after the drop")
	tell := flag.Duration("tell", 0, "how long after the drop to tell what the runtime accounts for; 0: never")
	// Alive until the drop; local variables, as people write it; never dropped.
	variant := args.Variant("held", "classic", "live")

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	if variant == "classic" {
		classic(sizes)
	} else {
		for _, n := range sizes {
			sink = append(sink, allocate(n))
		}
	}
	mark.At("loaded")
	if variant == "held" {
		time.Sleep(*hold)
		sink = nil
	}
	if variant != "live" {
		mark.At("dropped")
	}
	if *free {
		debug.FreeOSMemory()
		mark.At("freed")
	}
	if *tell > 0 {
		time.Sleep(*tell)
		mark.Runtime()
	}
	mark.Idle()
}

// allocate returns n bytes, every page of them touched.
//
//go:noinline
func allocate(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < len(b); i += pageSize {
		b[i] = 1
	}
	return b
}

// classic is how such programs are posted: local slices, written to once, in loops without a call. Until when each of them is
// alive is the compiler's and the collector's to decide: up to Go 1.13 such a loop could not be stopped for a collection.
//
//go:noinline
func classic(sizes []int) {
	for _, n := range sizes {
		b := make([]byte, n)
		for i := range b {
			b[i] = 1
		}
	}
}
