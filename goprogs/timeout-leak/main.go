// SPDX-License-Identifier: Apache-2.0

// Timeout-leak is a service that asks an upstream three questions at once, and leaves after a second without an answer. Who
// collects the answers then sends on a channel from which nobody receives, and waits for ever with what it holds, if the
// channel has no buffer (-variant leaky). A buffer of one lets it end (buffered), and a context ends the questions too.
package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const (
	requests = 300
	every    = 600 * time.Millisecond
	timeout  = time.Second
)

func main() {
	variant := args.Variant("leaky", "buffered", "context")
	url := upstream()
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < requests; i++ {
		path := "/"
		if i%3 == 0 {
			path = "/slow"
		}
		go handle(variant, url+path)
		time.Sleep(every)
	}
	time.Sleep(slow)
	mark.At("after-load")
	time.Sleep(9 * time.Minute)
	mark.Value("operations", atomic.LoadInt64(&answered))
	mark.Runtime()
	mark.Idle()
}

// handle answers one request, or gives up.
func handle(variant, url string) {
	ctx, result := context.Background(), make(chan [][]byte)
	switch variant {
	case "buffered":
		result = make(chan [][]byte, 1)
	case "context":
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	go collect(ctx, url, result)
	select {
	case <-result:
	case <-time.After(timeout): // nobody receives from result any more
	}
}

// collect waits for all three subtasks, and hands over what they brought.
func collect(ctx context.Context, url string, result chan<- [][]byte) {
	answers := make([][]byte, 3)
	var subtasks sync.WaitGroup
	for i := range answers {
		subtasks.Add(1)
		go func(i int) {
			defer subtasks.Done()
			answers[i] = ask(ctx, url)
		}(i)
	}
	subtasks.Wait()
	select {
	case result <- answers:
	case <-ctx.Done(): // never, of the background's
	}
}
