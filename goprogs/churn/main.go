// SPDX-License-Identifier: Apache-2.0

// Churn allocates 32 MB, writes to all of it, drops it, and so on, 30 times. Whether the memory of one round is given back before
// the next one needs it, and what it costs to get it back, is up to the Go release and its settings.
//
//	steady  one round after the other, as a busy service
//	paced   a garbage collection and a pause of 40 ms after each round: the runtime gives back what it likes, at its own pace
//	freed   all of it is given back after each round, by debug.FreeOSMemory(): the most that giving back can cost
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"memtide.dev/goprogs/mark"
)

const (
	rounds  = 30
	buffers = 32
	size    = 1 << 20
)

// sink makes it explicit what is alive.
var sink [][]byte

func main() {
	variant := flag.String("variant", "freed", "steady, paced or freed")
	flag.Parse()

	after, pause := func() {}, time.Duration(0)
	switch *variant {
	case "steady":
	case "paced":
		after, pause = runtime.GC, 40*time.Millisecond
	case "freed":
		after = debug.FreeOSMemory
	default:
		fmt.Fprintln(os.Stderr, "churn: there is no variant", *variant)
		os.Exit(2)
	}

	source := make([]byte, size)
	for i := range source {
		source[i] = byte(i)
	}
	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	var busy time.Duration
	for i := 0; i < rounds; i++ {
		began := time.Now()
		round(source)
		after()
		busy += time.Since(began)
		time.Sleep(pause)
	}
	mark.At("after-load")

	mark.Value("operations", rounds*buffers)
	mark.Value("operations_per_s", int64(rounds*buffers/busy.Seconds()))
}

// round is what the program is for: some buffers with a copy of source in each, all alive at once, and then none.
//
//go:noinline
func round(source []byte) {
	for i := 0; i < buffers; i++ {
		b := make([]byte, size)
		copy(b, source)
		sink = append(sink, b)
	}
	sink = nil
}
