// SPDX-License-Identifier: Apache-2.0

// Producer-consumer runs a thousand jobs, each a producer and a consumer with a channel between them. The consumer leaves at
// the first bad item. A producer that only sends (-variant leaky) waits for ever, with the item in its hand; one that is told,
// by a channel that is closed (close) or by a context (cancel), ends.
package main

import (
	"context"
	"errors"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const (
	jobs, every = 1000, 180 * time.Millisecond
	items, bad  = 4, 2
	size        = 64 << 10
)

func main() {
	variant := args.Variant("leaky", "close", "cancel")
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < jobs; i++ {
		if job(variant) == nil {
			panic("no item was bad")
		}
		time.Sleep(every)
	}
	mark.At("after-load")
	time.Sleep(9 * time.Minute)
	mark.Runtime()
	mark.Idle()
}

// job is what starts the producer; it returns when the consumer does.
func job(variant string) error {
	stream := make(chan []byte)
	var stop <-chan struct{} // nil: never
	switch variant {
	case "close":
		done := make(chan struct{})
		defer close(done)
		stop = done
	case "cancel":
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		stop = ctx.Done()
	}
	go produce(stream, stop)
	return consume(stream)
}

func produce(stream chan<- []byte, stop <-chan struct{}) {
	defer close(stream)
	for i := 0; i < items; i++ {
		item := make([]byte, size)
		for j := range item {
			item[j] = byte(i)
		}
		select {
		case stream <- item:
		case <-stop:
			return
		}
	}
}

func consume(stream <-chan []byte) error {
	for item := range stream {
		if item[0] == bad {
			return errors.New("a bad item")
		}
	}
	return nil
}
