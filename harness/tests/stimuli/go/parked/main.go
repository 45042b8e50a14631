// SPDX-License-Identifier: Apache-2.0

// parked N: N goroutines in each of some known places. Prints "ready NUMGOROUTINE" once they have all parked, then answers each line of its
// standard input with "NUMGOROUTINE":
//
//	gc      after a garbage collection
//	grow N  after N more goroutines have parked in reader; "growing" comes at once
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

var (
	never = make(chan int)
	full  = make(chan int)
	mutex sync.Mutex
	group sync.WaitGroup
	sink  []byte
)

func reader() {
	group.Done()
	<-never // reader waits
}

func newReader() {
	go reader() // made: reader
}

func selector() {
	group.Done()
	select { // selector waits
	case <-never:
	case full <- 1:
	}
}

func sleeper() {
	group.Done()
	time.Sleep(time.Hour) // sleeper waits
}

func locker() {
	group.Done()
	mutex.Lock() // locker waits
}

//go:noinline
func deep(n int) int {
	var room [1024]byte
	if n == 0 {
		group.Done()
		<-never // deep waits
	}
	room[n] = byte(n)
	return deep(n-1) + int(room[n%7])
}

func accepter(l net.Listener) {
	group.Done()
	c, err := l.Accept() // accepter waits
	fmt.Println(c, err)
}

func main() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	mutex.Lock()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	group.Add(4*n + 10 + 1)
	for i := 0; i < n; i++ {
		newReader()
		go selector() // made: selector
		go sleeper()  // made: sleeper
		go locker()   // made: locker
	}
	for i := 0; i < 10; i++ {
		go func() { // made: deep
			deep(20)
		}()
	}
	go accepter(listener) // made: accepter
	group.Wait()
	runtime.SetFinalizer(new([64]byte), func(*[64]byte) {})
	runtime.GC()
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready", runtime.NumGoroutine())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() { // main waits
		words := strings.Fields(in.Text())
		switch words[0] {
		case "gc":
			runtime.GC()
		case "grow":
			more, _ := strconv.Atoi(words[1])
			fmt.Println("growing")
			group.Add(more)
			for i := 0; i < more; i++ {
				newReader()
			}
			group.Wait()
			time.Sleep(300 * time.Millisecond)
		}
		fmt.Println(runtime.NumGoroutine())
	}
}
