// SPDX-License-Identifier: Apache-2.0

// Allocates at known places, then answers lines of its standard input, each with "ok":
//
//	grow N     N more MB are held by main.grow
//	settle     two garbage collections: then the profile says what is held
//	write FILE its own heap profile (runtime/pprof)
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
)

var (
	kept  [][]byte
	lists []*node
	table = map[int]string{}
)

type node struct {
	next *node
	room [40]byte
}

func newNode(next *node) *node { return &node{next: next} }

func newList(n int) *node { // both are inlined
	l := newNode(nil)
	for i := 0; i < n; i++ {
		l = newNode(l)
	}
	return l
}

//go:noinline
func hold(n, size int) {
	for i := 0; i < n; i++ {
		kept = append(kept, make([]byte, size))
	}
}

//go:noinline
func drop(n, size int) {
	for i := 0; i < n; i++ {
		sink = make([]byte, size)
	}
	sink = nil
}

var sink []byte

//go:noinline
func deep(n int) {
	if n == 0 {
		hold(100, 10000)
		return
	}
	deep(n - 1)
}

//go:noinline
func grow(mb int) {
	kept = append(kept, make([]byte, mb<<20))
}

func settle() {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
}

func main() {
	debug.SetGCPercent(400)
	hold(64, 1<<20)
	hold(20000, 300)
	drop(2000, 65536)
	for i := 0; i < 10; i++ {
		lists = append(lists, newList(20000))
	}
	for i := 0; i < 50000; i++ {
		table[i] = strconv.Itoa(i) + " and " + strings.Repeat("x", i%50)
	}
	deep(60) // deeper than the profile's stacks, to 1.22
	settle()
	fmt.Println("ready")
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		words := strings.Fields(in.Text())
		switch words[0] {
		case "grow":
			n, _ := strconv.Atoi(words[1])
			grow(n)
		case "settle":
			settle()
		case "write":
			f, err := os.Create(words[1])
			if err == nil {
				err = pprof.WriteHeapProfile(f)
			}
			if err == nil {
				err = f.Close()
			}
			if err != nil {
				panic(err)
			}
		}
		fmt.Println("ok")
	}
	runtime.KeepAlive(kept)
	runtime.KeepAlive(lists)
	runtime.KeepAlive(table)
}
