// SPDX-License-Identifier: Apache-2.0

// Timeout-leak is a service that asks an upstream three questions at once, and leaves after a second without an answer. Who
// collects the answers then sends on a channel from which nobody receives, and waits for ever with what it holds, if the
// channel has no buffer (-variant leaky). A buffer of one lets it end (buffered), and a context ends the questions too.
//
// The upstream is a real HTTP server on loopback, in the same process: every third request is slow.
package main

import (
	"context"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"memtide.dev/goprogs/mark"
)

const (
	requests = 300
	every    = 600 * time.Millisecond
	timeout  = time.Second
	slow     = 3 * time.Second
	size     = 192 << 10 // bytes of an answer, three of them a request
)

var (
	url      string
	answer   = make([]byte, size)
	answered int64 // questions, whether or not somebody still waited
	client   = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: 30 * time.Second}}
)

func main() {
	variant := flag.String("variant", "leaky", "leaky, buffered or context")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil || (*variant != "leaky" && *variant != "buffered" && *variant != "context") {
		os.Exit(2)
	}
	url = "http://" + listener.Addr().String()
	go http.Serve(listener, http.HandlerFunc(upstream))
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < requests; i++ {
		path := "/"
		if i%3 == 0 {
			path = "/slow"
		}
		go handle(*variant, path)
		time.Sleep(every)
	}
	time.Sleep(slow)
	mark.At("after-load")
	time.Sleep(9 * time.Minute)
	mark.Value("operations", atomic.LoadInt64(&answered))
	mark.Runtime()
	for {
		time.Sleep(24 * time.Hour)
	}
}

// handle answers one request, or gives up.
func handle(variant, path string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	result := make(chan [][]byte)
	if variant == "buffered" {
		result = make(chan [][]byte, 1)
	}
	if variant != "context" {
		ctx = context.Background()
	}
	go collect(ctx, path, result)
	select {
	case <-result:
	case <-time.After(timeout): // nobody receives from result any more
	}
}

// collect waits for all three subtasks, and hands over what they brought.
func collect(ctx context.Context, path string, result chan<- [][]byte) {
	answers := make([][]byte, 3)
	var subtasks sync.WaitGroup
	for i := range answers {
		subtasks.Add(1)
		go func(i int) {
			defer subtasks.Done()
			answers[i] = ask(ctx, path)
		}(i)
	}
	subtasks.Wait()
	select {
	case result <- answers:
	case <-ctx.Done(): // never, of the background's
	}
}

func ask(ctx context.Context, path string) []byte {
	request, err := http.NewRequest("GET", url+path, nil)
	if err != nil {
		return nil
	}
	response, err := client.Do(request.WithContext(ctx))
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	b := make([]byte, size)
	if _, err = io.ReadFull(response.Body, b); err == nil {
		atomic.AddInt64(&answered, 1)
	}
	return b
}

func upstream(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/slow" {
		time.Sleep(slow)
	}
	w.Write(answer)
}
