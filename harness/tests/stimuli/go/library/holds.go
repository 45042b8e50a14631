// SPDX-License-Identifier: Apache-2.0

// library is what a program of C loads (-buildmode=c-shared): it holds 60 MB, and three goroutines that wait.
package main

import "C"

import "runtime"

var (
	kept  [][]byte
	never = make(chan int)
)

//export Start
func Start() {
	for i := 0; i < 60; i++ {
		b := make([]byte, 1<<20)
		for j := 0; j < len(b); j += 4096 {
			b[j] = 1
		}
		kept = append(kept, b)
	}
	for i := 0; i < 3; i++ {
		go func() { <-never }()
	}
	runtime.GC()
}

func main() {}
