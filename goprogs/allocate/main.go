// SPDX-License-Identifier: Apache-2.0

// Allocate takes memory, touches every page, drops it, and is idle from then on. What its resident memory does after the
// drop is up to the Go release, its settings and the kernel.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"memtide.dev/goprogs/mark"
)

const pageSize = 4096

// sink makes it explicit what is alive: with local variables it would be for each release's compiler to decide, and the
// peak of one and the same program would differ from run to run.
var sink [][]byte

func main() {
	sizes := flag.String("sizes", "100MB,200MB,500MB", "what to allocate, one after the other")
	hold := flag.Duration("hold", time.Second, "how long everything stays alive")
	free := flag.Bool("free", false, "call debug.FreeOSMemory() after the drop")
	variant := flag.String("variant", "held", "held: alive until the drop; classic: local variables, as people write it; live: never dropped")
	tell := flag.Duration("tell", 0, "how long after the drop to tell what the runtime accounts for; 0: never")
	flag.Parse()

	bytes, err := parseSizes(*sizes)
	if err != nil {
		fmt.Fprintln(os.Stderr, "allocate: -sizes:", err)
		os.Exit(2)
	}

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	switch *variant {
	case "held":
		for _, n := range bytes {
			sink = append(sink, allocate(n))
		}
		mark.At("loaded")
		time.Sleep(*hold)
		sink = nil
		mark.At("dropped")
	case "classic":
		classic(bytes)
		mark.At("loaded")
		mark.At("dropped")
	case "live":
		for _, n := range bytes {
			sink = append(sink, allocate(n))
		}
		mark.At("loaded")
	default:
		fmt.Fprintf(os.Stderr, "allocate: -variant %q: there are held, classic and live\n", *variant)
		os.Exit(2)
	}
	if *free {
		debug.FreeOSMemory()
		mark.At("freed")
	}
	if *tell > 0 {
		time.Sleep(*tell)
		mark.Runtime()
	}

	// Idle, until ended from outside. No ticker: a timer that fires keeps the runtime's monitor from its deep sleep, and
	// with it changes what is measured.
	for {
		time.Sleep(24 * time.Hour)
	}
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

// parseSizes reads "100MB,512kB"; units are powers of 1024.
func parseSizes(list string) ([]int, error) {
	var sizes []int
	for _, text := range strings.Split(list, ",") {
		number, unit := text, 1
		for suffix, factor := range map[string]int{"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
			if strings.HasSuffix(text, suffix) {
				number, unit = strings.TrimSuffix(text, suffix), factor
			}
		}
		n, err := strconv.Atoi(number)
		if err != nil || n <= 0 || n > (1<<40)/unit {
			return nil, fmt.Errorf("%q is not a size: write a whole number and kB, MB or GB", text)
		}
		sizes = append(sizes, n*unit)
	}
	return sizes, nil
}
