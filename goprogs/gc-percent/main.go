// SPDX-License-Identifier: Apache-2.0

// Gc-percent is what people try first where memory does not go back: debug.SetGCPercent(10), and debug.FreeOSMemory(). It
// takes 128 MB and then either still refers to them (-variant leak-none, leak-gcpercent, leak-free) or does not (idle-none,
// idle-gcpercent, idle-free). A few small requests follow, then nothing but the runtime's own forced garbage collections, every
// two minutes.
package main

import (
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const (
	steps, block = 20, 6554 << 10 // 128 MB
	last, small  = 60, 1 << 20    // the last requests, one a second
	pageSize     = 4096
)

var (
	sink    [][]byte // what is alive, explicitly
	request []byte
	freed   int64 // how often FreeOSMemory was called
)

func main() {
	variant := args.Variant("leak-none", "leak-gcpercent", "leak-free", "idle-none", "idle-gcpercent", "idle-free")
	words := strings.Split(variant, "-")
	what, remedy := words[0], words[1]
	if remedy == "gcpercent" {
		debug.SetGCPercent(10)
	}
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < steps; i++ {
		sink = append(sink, allocate(block))
		time.Sleep(time.Second)
	}
	mark.At("loaded")
	runtime.GC() // everything is alive: the next collection is due at 256 MB, or at 141 MB
	time.Sleep(time.Second)

	if what == "idle" {
		sink = nil
	}
	mark.At("dropped")
	if remedy == "free" {
		debug.FreeOSMemory()
		mark.At("freed")
		freed++
	}
	for i := 0; i < last; i++ {
		go func() { request = allocate(small) }() // on a stack of its own, where nothing of the load's is left
		time.Sleep(time.Second)
	}
	mark.At("idle")
	time.Sleep(40 * time.Second)
	mark.Value("operations", freed)
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
