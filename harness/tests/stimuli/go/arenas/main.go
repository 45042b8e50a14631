// SPDX-License-Identifier: Apache-2.0

// Arenas (GOEXPERIMENT=arenas) of 20 MB each: argv[1] are made, argv[2] of them are freed while pointers into them are kept.
package main

import (
	"arena"
	"fmt"
	"os"
	"runtime"
	"strconv"
)

type page [4096]byte

func main() {
	made, _ := strconv.Atoi(os.Args[1])
	freed, _ := strconv.Atoi(os.Args[2])
	var arenas []*arena.Arena
	var pointers []*page

	for i := 0; i < made; i++ {
		a := arena.NewArena()
		for k := 0; k < 5120; k++ {
			p := arena.New[page](a)
			p[0] = 1
			pointers = append(pointers, p)
		}
		arenas = append(arenas, a)
	}
	for _, a := range arenas[:freed] {
		a.Free()
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
	runtime.KeepAlive(pointers)
	runtime.KeepAlive(arenas)
}
