// SPDX-License-Identifier: Apache-2.0

// Image-worker scales images in C, each in a goroutine of its own, and gives up on those that take more than a second. A third
// of them does. What the goroutine of such an image has when nobody waits for its result any more, it has for ever:
//
//	leaky  its place in the send, its thread, and its image, for it frees that when it has sent
//	freed  the same without the image, which it frees first
//	fixed  nothing: the channel has room for the one result, and it ends
//
// It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

/*
#include <stdlib.h>
#include <time.h>

static unsigned char *load(size_t bytes)
{
	unsigned char *image = malloc(bytes);

	if (!image)
		abort();
	for (size_t i = 0; i < bytes; i += 16)
		image[i] = i >> 8;
	return image;
}

// A little work, and a wait, as for a disk or another process. Again and again, for the runtime's signals cut sleeps short.
static unsigned scale(const unsigned char *image, size_t bytes, int seconds)
{
	struct timespec left = { seconds, 0 };
	unsigned sum = 0;

	for (size_t i = 0; i < bytes; i += 16)
		sum = sum * 31 + image[i];
	while (nanosleep(&left, &left) != 0)
		;
	return sum;
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"time"
	"unsafe"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const images, imageSize = 150, 2 << 20

func main() {
	variant := args.Variant("leaky", "freed", "fixed")
	time.Sleep(100 * time.Millisecond) // the baseline, before the load

	mark.At("load")
	for i := 0; i < images; i++ {
		seconds := 0
		if i%3 == 2 {
			seconds = 3
		}
		go scaled(variant, seconds)
		time.Sleep(500 * time.Millisecond)
	}
	mark.At("after-load")

	time.Sleep(5 * time.Minute)
	mark.Runtime()
	mark.Idle()
}

// scaled returns what became of the image, or an error when that takes too long.
func scaled(variant string, seconds int) (uint32, error) {
	result := make(chan uint32)
	if variant == "fixed" {
		result = make(chan uint32, 1)
	}
	go work(result, seconds, variant == "freed")

	select {
	case r := <-result:
		return r, nil
	case <-time.After(time.Second):
		return 0, fmt.Errorf("the image is not ready in time")
	}
}

func work(result chan<- uint32, seconds int, freeFirst bool) {
	runtime.LockOSThread() // the C library keeps a context for each thread
	defer runtime.UnlockOSThread()

	image := C.load(imageSize)
	r := uint32(C.scale(image, imageSize, C.int(seconds)))
	if freeFirst {
		C.free(unsafe.Pointer(image))
	} else {
		defer C.free(unsafe.Pointer(image))
	}
	result <- r
}
