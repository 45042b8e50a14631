// SPDX-License-Identifier: Apache-2.0

// again PROGRAM: a second with seven goroutines that wait, then the program in its own place.
package main

import (
	"os"
	"syscall"
	"time"
)

func main() {
	for i := 0; i < 7; i++ {
		go func() { select {} }()
	}
	time.Sleep(time.Second)
	panic(syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
}
