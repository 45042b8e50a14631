// SPDX-License-Identifier: Apache-2.0

// Ticker-leak is a server that pings each of its connections from a goroutine of its own, by a time.Ticker. When the
// connection ends, Stop() ends the ticks, but it does not close the ticker's channel: the goroutine that ranges over it waits
// for ever, in every Go release, unless it is told by a channel of its own (-variant fixed).
//
// Server and clients talk over loopback TCP inside one process, because that is where it happens: the reader sees an error
// from the network, returns, closes all it knows of, and no descriptor is left open that would show the leak.
package main

import (
	"net"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const (
	rounds, connections = 125, 40 // 5 000 connections, 40 at a time
	pingEvery           = 200 * time.Millisecond
	connected, pause    = 300 * time.Millisecond, 1100 * time.Millisecond
)

func main() {
	fixed := args.Variant("leaky", "fixed") == "fixed"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() {
		for {
			conn, err := listener.Accept()
			check(err)
			go serve(conn, fixed)
		}
	}()
	time.Sleep(5 * time.Second)

	mark.At("load")
	for i := 0; i < rounds; i++ {
		var conns []net.Conn
		for len(conns) < connections {
			conn, err := net.Dial("tcp", listener.Addr().String())
			check(err)
			conns = append(conns, conn)
		}
		time.Sleep(connected)
		for _, conn := range conns {
			check(conn.Close())
		}
		time.Sleep(pause)
	}
	mark.At("after-load")
	time.Sleep(9 * time.Minute)
	mark.Runtime()
	mark.Idle()
}

// serve reads until the connection ends.
func serve(conn net.Conn, fixed bool) {
	ticker, done := time.NewTicker(pingEvery), make(chan struct{})
	if fixed {
		go pingUntil(done, conn, ticker)
	} else {
		go ping(conn, ticker)
	}
	for b := make([]byte, 512); ; {
		if _, err := conn.Read(b); err != nil {
			break
		}
	}
	ticker.Stop() // ends the ticks, not the loop over them
	close(done)
	conn.Close()
}

func ping(conn net.Conn, ticker *time.Ticker) {
	for range ticker.C {
		conn.Write([]byte("?"))
	}
}

func pingUntil(done chan struct{}, conn net.Conn, ticker *time.Ticker) {
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			conn.Write([]byte("?"))
		}
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
