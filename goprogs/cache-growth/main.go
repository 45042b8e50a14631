// SPDX-License-Identifier: Apache-2.0

// Cache-growth puts 500 000 entries into a map, as a cache does that has no limit (-variant grows). With a limit it stays
// small (bounded). A map that is emptied by delete keeps all its room (emptied); only a new map in its place lets the garbage
// collector have the old one (rebuilt).
package main

import (
	"flag"
	"os"
	"time"

	"memtide.dev/goprogs/mark"
)

const (
	steps, entries = 60, 8400 // 3 s apart, 504 000 in all
	bound          = 10000
)

type entry [64]byte

// cache is what is alive: package-level, so that no release's compiler finds it dead earlier than another's.
var cache = map[int]entry{}

var deleted int64

func main() {
	variant := flag.String("variant", "grows", "grows, bounded, emptied or rebuilt")
	flag.Parse()
	switch *variant {
	case "grows", "bounded", "emptied", "rebuilt":
	default:
		os.Exit(2)
	}
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < steps*entries; i++ {
		cache[i] = entry{1}
		if *variant == "bounded" && i >= bound {
			forget(i - bound) // the oldest
		}
		if i%entries == entries-1 {
			time.Sleep(3 * time.Second)
		}
	}
	mark.At("loaded")
	time.Sleep(5 * time.Second)

	switch *variant {
	case "emptied":
		for i := 0; i < steps*entries; i++ {
			forget(i)
		}
		mark.At("dropped")
	case "rebuilt":
		cache = map[int]entry{}
		mark.At("dropped")
	}
	time.Sleep(14 * time.Minute)
	mark.Value("operations", deleted)
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}

func forget(key int) {
	delete(cache, key)
	deleted++
}
