// SPDX-License-Identifier: Apache-2.0

// Fragmentation allocates 300 MB of 1 kB objects, drops seven of eight, and is idle from then on. The runtime has them in spans of
// 8 kB, eight in each. Where every eighth object is kept (-variant scattered) each span has one left, and none becomes free; where
// the same number of neighbours is kept (together), seven of eight spans do.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"memtide.dev/goprogs/mark"
)

const count, inSpan = 300 << 10, 8

type object [1 << 10]byte // a size class of its own, without a rest (sizeclasses.go)

// objects is what is alive: package-level, so that no release's compiler finds it dead earlier than another's.
var objects [count]*object

func main() {
	variant := flag.String("variant", "scattered", "scattered or together")
	flag.Parse()
	if *variant != "scattered" && *variant != "together" {
		fmt.Fprintln(os.Stderr, "fragmentation: -variant is scattered or together")
		os.Exit(2)
	}
	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := range objects {
		objects[i] = new(object)
		objects[i][0] = 1 // so that its page is resident
	}
	mark.At("loaded")
	time.Sleep(time.Second)

	for i := range objects {
		if (*variant == "scattered" && i%inSpan != 0) || (*variant == "together" && i >= count/inSpan) {
			objects[i] = nil
		}
	}
	mark.At("dropped")

	// Idle, until ended from outside: the runtime's own collections, every 2 minutes, and its scavenger are all that happens.
	for {
		time.Sleep(24 * time.Hour)
	}
}
