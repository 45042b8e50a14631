// SPDX-License-Identifier: Apache-2.0

// Finalizer makes pairs of objects that point to each other, and wants to be told when one is no longer in use. An object with
// a finalizer is kept for it together with all that it points to; one that points to itself in the end is kept for ever.
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

type owner struct {
	part  *part
	guard *guard
	data  [64 << 10]byte
}

type part struct {
	owner *owner
}

// guard is what an owner has of its own: it points to nothing.
type guard struct {
	closed bool
	handle [64]byte // larger than 16 bytes: not one of the small objects that share a block
}

//go:noinline
func pair(variant string) {
	o := &owner{guard: &guard{}}
	o.part = &part{owner: o}
	for i := 0; i < len(o.data); i += 4096 {
		o.data[i] = 1
	}
	switch variant {
	case "finalizer":
		runtime.SetFinalizer(o, func(o *owner) { o.guard.closed = true })
	case "fixed":
		release(o)
	}
}

func main() {
	variant := flag.String("variant", "finalizer", "finalizer: of an object in a cycle; fixed: a cleanup, or a finalizer outside of it; none")
	flag.Parse()

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := 0; i < 500; i++ {
		pair(*variant)
		if i%10 == 0 {
			time.Sleep(200 * time.Millisecond)
		}
	}
	mark.At("after-load")
	for i := 0; i < 3; i++ {
		debug.FreeOSMemory()
		time.Sleep(time.Second)
	}
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}
