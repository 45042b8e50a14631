// SPDX-License-Identifier: Apache-2.0

// phases [profile|late]: memory of known sizes and kinds, in phases that it marks, and what runtime.MemStats has in each. 64 MB of objects, 1 000 goroutines in a
// channel receive and 32 MB mapped by itself come with the mark loaded; with the mark dropped the objects are given back. Then
// it does nothing. Built by every release from 1.11 on.
package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

const (
	mib        = 1 << 20
	objects    = 64 // of 1 MB
	goroutines = 1000
	mapped     = 32 * mib
	page       = 4096
)

var (
	keep [][]byte
	fd   = 2
	m    runtime.MemStats
	text [256]byte
)

func say(line string) {
	_, _ = syscall.Write(fd, []byte(line+"\n"))
}

// tell allocates nothing, and leaves time to look before and after: of a span that was given back whole, Go 1.11 takes all back for one
// object.
func tell() {
	time.Sleep(50 * time.Millisecond)
	runtime.ReadMemStats(&m)
	for _, v := range [...]struct {
		name string
		n    uint64
	}{
		{"goroutines", uint64(runtime.NumGoroutine())}, {"heap_inuse", m.HeapInuse}, {"heap_idle", m.HeapIdle - m.HeapReleased},
		{"heap_released", m.HeapReleased}, {"stacks", m.StackInuse}, {"runtime", m.Sys - m.HeapSys - m.StackInuse},
		{"gc_goal", m.NextGC}, {"gc_count", uint64(m.NumGC)},
	} {
		line := append(append(text[:0], v.name...), '=')
		line = append(strconv.AppendUint(line, v.n, 10), '\n')
		_, _ = syscall.Write(fd, line)
	}
	time.Sleep(50 * time.Millisecond)
}

//go:noinline
func touched(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < len(b); i += page {
		b[i] = 1
	}
	return b
}

func wait(c chan int) {
	<-c
}

func main() {
	if n, err := strconv.Atoi(os.Getenv("MEMTIDE_MARK_FD")); err == nil {
		fd = n
	}
	if len(os.Args) > 1 {
		n, _ := runtime.MemProfile(nil, true) // the linker sees that it may be asked for
		runtime.KeepAlive(n)
	}
	c := make(chan int)
	time.Sleep(time.Second)

	say("load")
	time.Sleep(500 * time.Millisecond) // the look at the mark is over
	if len(os.Args) > 1 && os.Args[1] == "late" {
		runtime.MemProfileRate = 1
	}
	for i := 0; i < objects; i++ {
		keep = append(keep, touched(mib))
	}
	for i := 0; i < goroutines; i++ {
		go wait(c)
	}
	own, err := syscall.Mmap(-1, 0, mapped, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(own); i += page {
		own[i] = 1
	}
	time.Sleep(100 * time.Millisecond)
	runtime.GC()
	say("loaded")
	tell()
	time.Sleep(2 * time.Second)

	keep = nil
	debug.FreeOSMemory()
	say("dropped")
	tell()
	for {
		time.Sleep(time.Hour)
	}
}
