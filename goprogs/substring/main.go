// SPDX-License-Identifier: Apache-2.0

// Substring reads 64 texts of 1 MB and keeps 8 bytes of each. A substring shares the bytes of its string, so it keeps all of them.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"runtime/debug"
	"strings"
	"time"

	"memtide.dev/goprogs/mark"
)

var keys []string

func main() {
	variant := flag.String("variant", "substring", "substring: of the text; cloned: a copy of it")
	flag.Parse()

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := 0; i < 64; i++ {
		text := strings.Repeat("key=1234;value=0", 1<<16)
		key := text[4:12]
		if *variant == "cloned" {
			key = clone(key)
		}
		keys = append(keys, key)
		time.Sleep(100 * time.Millisecond)
	}
	mark.At("loaded")
	time.Sleep(5 * time.Second)

	mark.At("dropped") // every text; the keys are alive
	debug.FreeOSMemory()
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}
