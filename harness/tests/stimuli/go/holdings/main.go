// SPDX-License-Identifier: Apache-2.0

// holdings WHAT: memory of a known size and kind, held until stdin ends. Prints "ready" once it is there. Built by every release from 1.11 on.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const mib = 1 << 20

var keep [][]byte
var sink byte
var served int64

func touched(n int) []byte {
	b := make([]byte, n)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
	}
	return b
}

func fill(bytes, each int) {
	for i := 0; i < bytes/each; i++ {
		keep = append(keep, touched(each))
	}
}

// About n bytes of stack.
func deep(n int, parked *sync.WaitGroup) byte {
	var b [1024]byte
	b[n%1024] = 1
	if n > 0 {
		return deep(n-1024, parked) + b[(n+1)%1024]
	}
	parked.Done()
	select {}
}

func stacks(n int) {
	var parked sync.WaitGroup
	parked.Add(n)
	for i := 0; i < n; i++ {
		go func() { sink = deep(90<<10, &parked) }()
	}
	parked.Wait()
}

// Requests without end: each allocates 1 to 16 kB, which lives until bytes have been allocated after it.
func serve(bytes, workers int) {
	for w := 0; w < workers; w++ {
		go func() {
			ring := make([][]byte, bytes/workers/6349) // their mean size
			for i := 0; ; i++ {
				ring[i%len(ring)] = touched(1024 << uint(i%5))
				atomic.AddInt64(&served, 1)
			}
		}()
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func main() {
	size := 300 * mib
	if len(os.Args) > 2 {
		n, _ := strconv.Atoi(os.Args[2])
		size = n * mib
	}
	switch os.Args[1] {
	case "nothing":
	case "dropped": // and not collected
		debug.SetGCPercent(-1)
		fill(size, mib)
		keep = nil
	case "freed": // and not given back
		fill(size, mib)
		keep = nil
		runtime.GC()
	case "returned":
		fill(size, mib)
		keep = nil
		debug.FreeOSMemory()
	case "eighth": // one in eight objects of 1 kB is kept
		fill(size, 1024)
		for i := range keep {
			if i%8 != 0 {
				keep[i] = nil
			}
		}
		runtime.GC()
		runtime.GC()
	case "mmap":
		b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	case "shared":
		b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_SHARED)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	case "stacks":
		stacks(1500)
	case "spans": // one span each
		debug.SetGCPercent(-1)
		fill(size, 16<<10)
	case "zeros": // read, never written: pages of zeros, which are in no RSS
		b, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(b); i += 4096 {
			sink += b[i]
		}
	case "beat": // serves, and tells every quarter of a second how many requests it served in it per second of its CPU time
		serve(size, 1)
		fmt.Println("ready")
		for {
			before, from := atomic.LoadInt64(&served), cpuTime()
			time.Sleep(250 * time.Millisecond)
			fmt.Println(float64(atomic.LoadInt64(&served)-before) / (cpuTime() - from).Seconds())
		}
	case "serve":
		serve(size, 2)
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(keep)
}
