// SPDX-License-Identifier: Apache-2.0

// memstats has a heap of known shape, tells what runtime.ReadMemStats says of it, and waits until it has been read from outside.
// Each line on standard input is a command; it is answered with one line of JSON.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	kept [][]byte
	park = make(chan bool)
	stop = make(chan bool)
	busy sync.WaitGroup
	m    runtime.MemStats
)

func deep(n int) int {
	var room [256]byte
	room[n%256] = byte(n)
	if n == 0 {
		<-park
		return int(room[0])
	}
	return deep(n-1) + int(room[n%256])
}

// churn does everything at once that changes the runtime's accounting.
func churn(i int) {
	defer busy.Done()
	var own runtime.MemStats
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		switch i % 4 {
		case 0:
			block := make([]byte, 64<<10+n%5*8192)
			block[0] = 1
		case 1:
			var list [64][]byte
			for k := range list {
				list[k] = make([]byte, 1024)
			}
			runtime.KeepAlive(list)
		case 2:
			done := make(chan bool)
			for k := 0; k < 8; k++ {
				go func() { grow(40); done <- true }()
			}
			for k := 0; k < 8; k++ {
				<-done
			}
		case 3:
			if n%4 == 0 {
				runtime.GC()
			}
			runtime.ReadMemStats(&own)
			readMetrics()
		}
	}
}

func grow(n int) int {
	var room [512]byte
	room[n%512] = byte(n)
	if n == 0 {
		return 0
	}
	return grow(n-1) + int(room[n%512])
}

func do(command []string) {
	n := 0
	if len(command) > 1 {
		n, _ = strconv.Atoi(command[1])
	}
	switch command[0] {
	case "alloc": // MB
		for i := 0; i < n; i++ {
			block := make([]byte, 1<<20)
			for k := range block {
				block[k] = 1
			}
			kept = append(kept, block)
		}
	case "drop":
		kept = nil
		runtime.GC()
	case "gc":
		runtime.GC()
	case "free":
		kept = nil
		debug.FreeOSMemory()
	case "park": // goroutines
		for i := 0; i < n; i++ {
			go deep(20)
		}
		time.Sleep(50 * time.Millisecond)
	case "unpark":
		for i := 0; i < n; i++ {
			park <- true
		}
	case "gogc":
		debug.SetGCPercent(n)
	case "limit": // MB
		setMemoryLimit(int64(n) << 20)
	case "procs":
		runtime.GOMAXPROCS(n)
	case "exec":
		fmt.Println("{}")
		syscall.Exec(command[1], command[1:2], os.Environ())
	case "churn":
		busy.Add(n)
		for i := 0; i < n; i++ {
			go churn(i)
		}
	case "calm":
		close(stop)
		busy.Wait()
	}
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		command := strings.Fields(in.Text())
		do(command)
		runtime.ReadMemStats(&m)
		fmt.Printf("{\"HeapInuse\":%d,\"HeapIdle\":%d,\"HeapReleased\":%d,\"HeapSys\":%d,\"StackInuse\":%d,\"Sys\":%d,\"NextGC\":%d,"+
			"\"NumGC\":%d,\"NumGoroutine\":%d,\"GOMAXPROCS\":%d,\"Version\":%q}\n",
			m.HeapInuse, m.HeapIdle, m.HeapReleased, m.HeapSys, m.StackInuse, m.Sys, m.NextGC, m.NumGC, runtime.NumGoroutine(),
			runtime.GOMAXPROCS(0), runtime.Version())
	}
}
