// SPDX-License-Identifier: Apache-2.0

//go:build go1.23
// +build go1.23

// Uniqueleak makes unique handles of values that nobody has made one of before, and drops them at once. When the values are
// let go is up to the Go release.
//
// It is built with Go 1.23 and later, where package unique is.
package main

import (
	"flag"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
	"unique"

	"memtide.dev/goprogs/mark"
)

// link is a value that a handle of another one is a part of.
type link struct {
	next unique.Handle[link]
	text [4096]byte
}

func main() {
	variant := flag.String("variant", "nested", "nested: a chain of handles; fresh: of one new string after the other, by 8 goroutines")
	flag.Parse()

	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	switch *variant {
	case "nested":
		chain(8000)
	default:
		texts(8, 9000)
	}
	mark.At("dropped")
	for i := 0; i < 5; i++ {
		debug.FreeOSMemory()
		time.Sleep(time.Second)
	}
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}

//go:noinline
func chain(n int) {
	var l link
	for i := 0; i < n; i++ {
		l.next = unique.Make(l)
	}
}

//go:noinline
func texts(goroutines, n int) {
	var done sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		done.Add(1)
		go func(g int) {
			defer done.Done()
			b := make([]byte, 1024)
			for i := 0; i < n; i++ {
				strconv.AppendInt(b[:0], int64(g*n+i), 10)
				unique.Make(string(b))
			}
		}(g)
	}
	done.Wait()
}
