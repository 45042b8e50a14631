// SPDX-License-Identifier: Apache-2.0

// parked N: N goroutines in each of some known places. Prints "ready NUMGOROUTINE" once they have all parked, then
// answers each line of its standard input with "NUMGOROUTINE" after a garbage collection.
package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
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
		runtime.GC()
		fmt.Println(runtime.NumGoroutine())
	}
}
