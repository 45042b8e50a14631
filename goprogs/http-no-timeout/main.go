// SPDX-License-Identifier: Apache-2.0

// Http-no-timeout asks an upstream that accepts connections and never answers. The client has a timeout for the dial only, so
// each request waits for ever, with its goroutine, its connection's two, and what it holds. With Client.Timeout (-variant
// fixed) it ends. The upstream is in the same process, over loopback TCP: one goroutine a connection.
package main

import (
	"net"
	"net/http"
	"runtime"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const (
	requests = 400 // two descriptors each: fewer than the usual 1 024
	every    = 450 * time.Millisecond
	holds    = 128 << 10 // bytes that a request has collected before it asks
)

func main() {
	variant := args.Variant("leaky", "fixed")
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
	if variant == "fixed" {
		client.Timeout = 2 * time.Second
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go upstream(listener)
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < requests; i++ {
		go handle(client, "http://"+listener.Addr().String())
		time.Sleep(every)
	}
	mark.At("after-load")
	time.Sleep(9 * time.Minute)
	mark.Runtime()
	mark.Idle()
}

func handle(client *http.Client, url string) {
	collected := make([]byte, holds)
	for i := range collected {
		collected[i] = 1
	}
	response, err := client.Get(url)
	if err == nil {
		response.Body.Close()
	}
	runtime.KeepAlive(collected)
}

// upstream accepts, reads, and never answers.
func upstream(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer conn.Close()
			for b := make([]byte, 512); ; {
				if _, err := conn.Read(b); err != nil {
					return
				}
			}
		}()
	}
}
