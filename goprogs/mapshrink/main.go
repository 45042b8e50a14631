// SPDX-License-Identifier: Apache-2.0

// Mapshrink fills a map with half a million entries and empties it again. What is left of it is up to the way it is emptied: the
// tables of a map never become smaller.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"runtime/debug"
	"time"

	"memtide.dev/goprogs/mark"
)

const entries = 500000

type value [16]byte

var m map[int64]value

func main() {
	variant := flag.String("variant", "deleted", "deleted: one by one; cleared: in a range loop, as clear() does; remade: a new map")
	flag.Parse()

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	m = make(map[int64]value)
	for k := int64(0); k < entries; k++ {
		m[k] = value{1}
	}
	mark.At("loaded")
	time.Sleep(5 * time.Second)

	switch *variant {
	case "deleted":
		for k := int64(0); k < entries; k++ {
			delete(m, k)
		}
	case "cleared":
		for k := range m {
			delete(m, k)
		}
	case "remade":
		m = make(map[int64]value)
	}
	mark.At("dropped")
	debug.FreeOSMemory()
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}
