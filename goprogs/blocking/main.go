// SPDX-License-Identifier: Apache-2.0

// Blocking starts readers, one every 50 ms, each of a pipe that says nothing. A blocking system call keeps its thread, and the
// runtime starts another one for the goroutines that can run: so many blocked calls are so many threads, up to the limit of
// debug.SetMaxThreads, 10 000 by default, where the program dies. After a minute every pipe is written to, and all readers end.
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"memtide.dev/goprogs/mark"
)

func main() {
	variant := flag.String("variant", "blocking", "blocking: by read(2); semaphore: the same, 16 at a time; poller: by an os.File")
	readers := flag.Int("readers", 300, "how many readers")
	limit := flag.Int("limit", 200, "how many threads are allowed")
	flag.Parse()

	debug.SetMaxThreads(*limit)
	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	var done sync.WaitGroup
	var ends []int
	slots := make(chan struct{}, *readers)
	if *variant == "semaphore" {
		slots = make(chan struct{}, 16)
	}
	for i := 0; i < *readers; i++ {
		var p [2]int
		if err := syscall.Pipe(p[:]); err != nil {
			fmt.Fprintln(os.Stderr, "blocking:", err)
			os.Exit(2)
		}
		ends = append(ends, p[1])
		done.Add(1)
		go func() {
			defer done.Done()
			slots <- struct{}{}
			read(p[0], *variant == "poller")
			<-slots
		}()
		time.Sleep(50 * time.Millisecond)
	}
	mark.At("loaded")
	time.Sleep(45 * time.Second)

	for _, fd := range ends {
		syscall.Write(fd, []byte{1})
	}
	done.Wait()
	mark.At("after-load")
	time.Sleep(time.Second)
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}

// read waits for one byte: in read(2), or, if the descriptor is made a non-blocking one, in the runtime's poller.
func read(fd int, poll bool) {
	b := make([]byte, 1)
	if !poll {
		syscall.Read(fd, b)
		syscall.Close(fd)
		return
	}
	syscall.SetNonblock(fd, true)
	f := os.NewFile(uintptr(fd), "pipe")
	f.Read(b)
	f.Close()
}
