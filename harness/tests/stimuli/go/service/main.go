// SPDX-License-Identifier: Apache-2.0

// service is a web server that does as it is told, a line on standard input at a time: what memtide attaches to in its tests.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	never = make(chan int)
	kept  [][]byte

	served int64
)

func leak(n int) {
	for i := 0; i < n; i++ {
		go wait()
	}
}

func wait() { <-never }

func hold(megabytes int) {
	b := make([]byte, megabytes<<20)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	kept = append(kept, b)
}

// What a request leaves behind is garbage: the collector has something to do.
func serve(w http.ResponseWriter, r *http.Request) {
	atomic.AddInt64(&served, 1)
	b := make([]byte, 20000)
	for i := range b {
		b[i] = byte(i)
	}
	fmt.Fprintf(w, "%d\n", len(b))
}

func obey(line string) {
	var n int

	words := strings.Fields(line)
	if len(words) > 1 {
		fmt.Sscan(words[1], &n)
	}
	switch words[0] {
	case "leak":
		leak(n)
	case "hold":
		hold(n)
	case "count":
		fmt.Println("done", line, atomic.LoadInt64(&served))
		return
	case "map": // outside of Go's heap
		b, err := syscall.Mmap(-1, 0, n<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	case "drop": // all that was held, and collects it
		kept = nil
		runtime.GC()
	case "drop-and-stop": // before anything of it is given back
		kept = nil
		runtime.GC()
		fmt.Println("done", line)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		return
	case "leak-on": // n a second, from now on
		go func() {
			for {
				leak(n / 10)
				time.Sleep(100 * time.Millisecond)
			}
		}()
	case "exec":
		if err := syscall.Exec(words[1], words[1:], os.Environ()); err != nil {
			fmt.Println(err)
		}
	case "exit":
		os.Exit(n)
	}
	fmt.Println("done", line)
}

func main() {
	listen := flag.Bool("listen", false, "")
	flag.Parse()
	where := "nowhere"
	if *listen {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		where = l.Addr().String()
		go func() { panic(http.Serve(l, http.HandlerFunc(serve))) }()
	}
	fmt.Println("ready", os.Getpid(), where, runtime.Version())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		obey(in.Text())
	}
	select {}
}
