// SPDX-License-Identifier: Apache-2.0

// Go64332 fills huge pages and keeps a 32nd of each, gives the rest back to the kernel, and then asks the kernel to make huge
// pages of them again. That is what khugepaged does by itself on many machines, sooner or later; asked by MADV_COLLAPSE
// (Linux 6.1) it does it at once, and on all machines. A release that has told the kernel to leave such memory alone stays
// small.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
	"unsafe"

	"memtide.dev/goprogs/mark"
)

const (
	huge     = 2 << 20
	block    = 64 << 10
	collapse = 25 // MADV_COLLAPSE
	pageSize = 4096
)

// kept makes it explicit what is alive.
var kept [][]byte

func main() {
	size := flag.Int("mb", 64, "how many MB to fill")
	flag.Parse()
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	kept = sparse(*size << 20)
	mark.At("dropped")
	debug.FreeOSMemory()
	mark.At("freed")
	time.Sleep(2 * time.Second)

	collapsed := int64(0)
	for _, b := range kept {
		at := uintptr(unsafe.Pointer(&b[0])) &^ (huge - 1)
		if _, _, err := syscall.Syscall(syscall.SYS_MADVISE, at, huge, collapse); err == 0 {
			collapsed++
		}
	}
	mark.Value("operations", collapsed)
	mark.Runtime()
	mark.At("collapsed")
	for {
		time.Sleep(24 * time.Hour)
	}
}

// sparse fills memory with blocks and returns one block in 32.
//
//go:noinline
func sparse(bytes int) [][]byte {
	var all, some [][]byte
	for i := 0; i < bytes/block; i++ {
		b := make([]byte, block)
		for j := 0; j < block; j += pageSize {
			b[j] = 1
		}
		all = append(all, b)
		if i%32 == 16 {
			some = append(some, b)
		}
	}
	runtime.KeepAlive(all)
	return some
}
