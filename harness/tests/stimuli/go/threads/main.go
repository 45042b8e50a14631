// SPDX-License-Identifier: Apache-2.0

// Threads of all kinds: 5 in a system call (a read of a pipe that nobody writes), 4 in C, called by Go, asleep there, 3 that C made, 1 that
// computes. Prints "ready", then waits for the end of its standard input.
package main

/*
#include <pthread.h>
#include <unistd.h>

static void *wait_in_c(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int make_thread(void)
{
	pthread_t t;

	return pthread_create(&t, 0, wait_in_c, 0);
}

static void sleep_in_c(void)
{
	for (;;)
		pause();
}
*/
import "C"

import (
	"fmt"
	"io"
	"io/ioutil"
	"os"
	"syscall"
	"time"
)

var counter int

func main() {
	for i := 0; i < 5; i++ {
		var fds [2]int
		if err := syscall.Pipe(fds[:]); err != nil {
			panic(err)
		}
		go func() {
			syscall.Read(fds[0], make([]byte, 1))
		}()
	}
	for i := 0; i < 4; i++ {
		go C.sleep_in_c()
	}
	for i := 0; i < 3; i++ {
		if C.make_thread() != 0 {
			panic("pthread_create")
		}
	}
	go func() {
		for {
			counter++
			if counter%1000000 == 0 {
				time.Sleep(0)
			}
		}
	}()
	time.Sleep(300 * time.Millisecond)
	fmt.Println("ready")
	io.Copy(ioutil.Discard, os.Stdin)
}
