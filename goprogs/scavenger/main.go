// SPDX-License-Identifier: Apache-2.0

// Scavenger takes memory, touches every page, drops it, and does nothing from then on. A garbage collection makes the memory
// free; when it goes back to the kernel is up to the release's scavenger, each generation of which draws a curve of its own.
//
//	-variant forced  no collection but the one that the runtime itself forces 2 minutes after the last one
//	-variant once    one collection right after the drop
//	-variant twice   a second one a tenth of a second later
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

const pageSize = 4096

// sink makes it explicit what is alive.
var sink [][]byte

func main() {
	size := flag.Int("mb", 128, "how many MB to take, in slices of 1 MB")
	variant := flag.String("variant", "forced", "forced, once or twice")
	flag.Parse()

	collections, known := map[string]int{"forced": 0, "once": 1, "twice": 2}[*variant]
	if !known {
		fmt.Fprintln(os.Stderr, "scavenger: -variant is forced, once or twice")
		os.Exit(2)
	}
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	sink = take(*size)
	mark.At("loaded")
	time.Sleep(time.Second)

	sink = nil
	mark.At("dropped")
	for i := 0; i < collections; i++ {
		runtime.GC() // returns when everything is swept
		time.Sleep(100 * time.Millisecond)
	}

	mark.At("idle")
	for {
		// A timer every 5 seconds keeps the runtime's monitor, which forces collections and wakes scavengers, from sleeping
		// for up to a minute. What is seen is the scavenger then, not when the monitor happened to look.
		time.Sleep(5 * time.Second)
	}
}

//go:noinline
func take(mb int) [][]byte {
	var all [][]byte
	for i := 0; i < mb; i++ {
		b := make([]byte, 1<<20)
		for j := 0; j < len(b); j += pageSize {
			b[j] = 1
		}
		all = append(all, b)
	}
	return all
}
