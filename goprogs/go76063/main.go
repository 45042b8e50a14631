// SPDX-License-Identifier: Apache-2.0

// Go76063 takes a large block, touches it, drops it, gives it back to the kernel, and takes as large a block again, of which
// it touches one byte. What is resident then is what the runtime itself wrote, to make the second block zero.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"runtime/debug"
	"time"

	"memtide.dev/goprogs/mark"
)

const (
	pageSize = 4096
	size     = 128 << 20
)

// sink makes it explicit what is alive.
var sink []byte

func main() {
	flag.Parse()
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	sink = make([]byte, size)
	for i := 0; i < len(sink); i += pageSize {
		sink[i] = 1
	}
	mark.At("loaded")
	time.Sleep(2 * time.Second)

	sink = nil
	mark.At("dropped")
	debug.FreeOSMemory()
	mark.At("freed")
	time.Sleep(2 * time.Second)

	sink = make([]byte, size)
	sink[0] = 1
	mark.At("again")

	for {
		time.Sleep(24 * time.Hour)
	}
}
