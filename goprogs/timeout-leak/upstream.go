// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	slow = 3 * time.Second
	size = 192 << 10 // bytes of an answer, three of them a request
)

var (
	answered int64 // questions, whether or not somebody still waited
	client   = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: 30 * time.Second}}
)

// upstream begins a real HTTP server on loopback, in the same process, and returns its URL: what it is asked below /slow takes 3 s.
func upstream() string {
	answer := make([]byte, size)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(slow)
		}
		w.Write(answer)
	}))
	return "http://" + listener.Addr().String()
}

// ask returns the whole answer, or nil.
func ask(ctx context.Context, url string) []byte {
	request, err := http.NewRequest("GET", url, nil)
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
