// SPDX-License-Identifier: Apache-2.0

// Pool answers requests with buffers of a sync.Pool: ten large ones once, then ten small ones at a time, for ever. A buffer
// that grew for a large request comes back for a small one, is in use at nearly every garbage collection, and so is never let go.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"bytes"
	"flag"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"memtide.dev/goprogs/mark"
)

const (
	workers = 10
	large   = 8 << 20
	small   = 1 << 10
	kept    = 64 << 10 // what the capped pool takes back

	takes = 500 * time.Millisecond // a request
	pause = time.Millisecond       // between two requests
)

var pool = sync.Pool{New: func() interface{} { return new(bytes.Buffer) }}

func request(size int, capped bool) {
	b := pool.Get().(*bytes.Buffer)
	b.Reset()
	b.Write(make([]byte, size))
	time.Sleep(takes)
	if !capped || b.Cap() <= kept {
		pool.Put(b)
	}
	time.Sleep(pause)
}

func main() {
	variant := flag.String("variant", "pooled", "pooled: every buffer goes back; capped: no large one; ended: as pooled, but the requests end")
	flag.Parse()
	capped := *variant == "capped"
	runtime.GOMAXPROCS(1) // each P has a part of the pool of its own: with more it is a race which request finds which buffer

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	var first sync.WaitGroup
	var ended int32
	for i := 0; i < workers; i++ {
		first.Add(1)
		go func() {
			request(large, capped)
			first.Done()
			for atomic.LoadInt32(&ended) == 0 {
				request(small, capped)
			}
		}()
	}
	first.Wait()
	mark.At("small")
	time.Sleep(250 * time.Millisecond)
	for i := 0; i < 10; i++ {
		runtime.GC() // in the middle of a request: all buffers are in use
		time.Sleep(4 * (takes + pause))
	}
	if *variant == "ended" {
		atomic.StoreInt32(&ended, 1)
		time.Sleep(2 * (takes + pause))
	}
	mark.At("dropped")
	debug.FreeOSMemory() // collects once, too
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}
