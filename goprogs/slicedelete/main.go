// SPDX-License-Identifier: Apache-2.0

//go:build go1.21
// +build go1.21

// Slicedelete has a slice of 64 pointers to 1 MB each and deletes all but 4 of them. Behind the new length the array of the
// slice goes on; what its elements there still point to is alive.
//
// It is built with Go 1.21 and later, where package slices is.
package main

import (
	"flag"
	"runtime/debug"
	"slices"
	"time"

	"memtide.dev/goprogs/mark"
)

type block [1 << 20]byte

var blocks []*block

func main() {
	variant := flag.String("variant", "delete", "delete: by slices.Delete; cleared: what is behind the new length is set to nil, too")
	flag.Parse()

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := 0; i < 64; i++ {
		b := new(block)
		for j := 0; j < len(b); j += 4096 {
			b[j] = 1
		}
		blocks = append(blocks, b)
	}
	mark.At("loaded")
	time.Sleep(5 * time.Second)

	length := len(blocks)
	blocks = slices.Delete(blocks, 4, length)
	if *variant == "cleared" {
		clear(blocks[len(blocks):length])
	}
	mark.At("dropped")
	debug.FreeOSMemory()
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}
