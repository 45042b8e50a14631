// SPDX-License-Identifier: Apache-2.0

// Mapchurn keeps 200 maps at 112 entries each: a new entry takes the place of the oldest one, 5 000 times. A deleted entry may
// leave a tombstone in its table; what happens to a table that is full of tombstones is up to the Go release.
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
	maps    = 200
	entries = 112 // of a table of 128 slots, as full as a Swiss table gets
	rounds  = 20
	each    = 250 // entries that are exchanged in a round
)

type value [120]byte

var sink [maps]map[int64]value

func main() {
	variant := flag.String("variant", "churn", "churn: each map lives for ever; copied: its entries move to a new map in the end")
	flag.Parse()

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := range sink {
		sink[i] = make(map[int64]value)
		for k := int64(0); k < entries; k++ {
			sink[i][k] = value{}
		}
	}
	for r := int64(0); r < rounds; r++ {
		for _, m := range sink {
			for k := r * each; k < (r+1)*each; k++ {
				delete(m, k)
				m[k+entries] = value{}
			}
		}
		time.Sleep(time.Second)
	}
	if *variant == "copied" {
		for i, m := range sink {
			sink[i] = make(map[int64]value, len(m))
			for k, v := range m {
				sink[i][k] = v
			}
		}
	}
	mark.At("after-load")
	debug.FreeOSMemory()
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}
