// SPDX-License-Identifier: Apache-2.0

// Go72991 makes one large slice fresh from the kernel, and never touches it. The kernel gives memory that is zero already,
// and gives it for real only when it is touched: what becomes resident is what the runtime itself writes.
//
//	-variant pointers  the slice's elements are pointers: the garbage collector has to know where they are
//	-variant bytes     the elements are plain bytes
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	"memtide.dev/goprogs/mark"
)

const size = 128 << 20

// sink keeps what is made alive.
var sink interface{}

func main() {
	variant := flag.String("variant", "pointers", "pointers or bytes")
	flag.Parse()

	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	switch *variant {
	case "pointers":
		sink = make([]*int, size/8)
	case "bytes":
		sink = make([]byte, size)
	default:
		fmt.Fprintln(os.Stderr, "go72991: -variant is pointers or bytes")
		os.Exit(2)
	}
	mark.At("loaded")

	for {
		time.Sleep(24 * time.Hour)
	}
}
