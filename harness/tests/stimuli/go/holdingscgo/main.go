// SPDX-License-Identifier: Apache-2.0

// holdingscgo WHAT: as holdings, of memory that C has.
package main

/*
#cgo LDFLAGS: -lpthread
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void fill(size_t bytes, size_t each)
{
	for (size_t i = 0; i < bytes / each; i++)
		memset(malloc(each), 1, each);
}

static void use_stack(size_t bytes)
{
	volatile char b[bytes];

	for (size_t i = 0; i < bytes; i += 4096)
		b[i] = 1;
}

// Called from Go: on the stack of a thread that Go asked for.
static void block(size_t bytes)
{
	use_stack(bytes);
	sleep(1000);
}

static void *thread(void *bytes)
{
	block((size_t)bytes);
	return NULL;
}

static void make_threads(int n, size_t bytes)
{
	pthread_t id;

	for (int i = 0; i < n; i++)
		pthread_create(&id, NULL, thread, (void *)bytes);
}
*/
import "C"

import (
	"fmt"
	"os"
	"time"
)

func main() {
	switch os.Args[1] {
	case "nothing":
	case "malloc": // small ones: brk, and arenas of threads
		C.fill(200<<20, 1000)
	case "large": // mmapped, one by one
		C.fill(200<<20, 1<<20)
	case "gothreads":
		for i := 0; i < 200; i++ {
			go C.block(256 << 10)
		}
		time.Sleep(2 * time.Second)
	case "cthreads":
		C.make_threads(200, 256<<10)
		time.Sleep(time.Second)
	}
	fmt.Println("ready")
	os.Stdin.Read(make([]byte, 1))
}
