// SPDX-License-Identifier: Apache-2.0

// Go58106 leaks a little with each operation, and drops as much: it will be killed at its container's limit. With a memory
// limit for the Go runtime below the container's, it is killed later, and does little but collect garbage before.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"time"

	"memtide.dev/goprogs/mark"
)

// node is small and has a pointer, so that marking many of them takes its time.
type node struct {
	next *node
	data [7]uint64
}

// leaked is what is never dropped, a list for each operation; garbage is what the next operation drops.
var (
	leaked  []*node
	garbage *node
)

func main() {
	flag.Parse()
	time.Sleep(200 * time.Millisecond) // the baseline

	mark.At("load")
	for n := int64(1); ; n++ {
		leaked = append(leaked, list(128<<10))
		garbage = list(128 << 10)
		if n%8 == 0 {
			mark.Value("operations", n)
			mark.Runtime()
		}
	}
}

// list returns a list of so many bytes.
//
//go:noinline
func list(bytes int) *node {
	var head *node
	for ; bytes > 0; bytes -= 64 {
		head = &node{next: head}
		head.data[0] = 1
	}
	return head
}
