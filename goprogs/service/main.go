// SPDX-License-Identifier: Apache-2.0

// Service is an HTTP server whose requests need memory for a moment, and with -load the client that keeps it busy by day and
// leaves it alone at night. What the server's resident memory does at night is up to the Go release, its settings and the
// kernel. It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"time"

	"memtide.dev/goprogs/mark"
	"memtide.dev/goprogs/mark/args"
)

const (
	pageSize = 4096
	takes    = 50 * time.Millisecond // each request, with its memory in use
)

func main() {
	serving := flag.Bool("serve", false, "be the server")
	loading := flag.Bool("load", false, "be the client")
	addr := flag.String("addr", "127.0.0.1:8080", "where the server listens")
	size := args.Sizes{10 << 20}
	flag.Var(&size, "size", "what each request allocates and drops")
	l := loadFlags()
	flag.Parse()

	err := fmt.Errorf("one of -serve and -load is needed")
	if *serving && !*loading {
		err = serve(*addr, size[0])
	} else if *loading && !*serving {
		err = l.run("http://" + *addr + "/")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "service:", err)
		os.Exit(1)
	}
}

// serve answers requests until it is ended from outside.
func serve(addr string, bytes int) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	time.Sleep(100 * time.Millisecond) // the baseline, before the load
	mark.At("listening")
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		b := make([]byte, bytes)
		for i := 0; i < len(b); i += pageSize {
			b[i] = 1
		}
		time.Sleep(takes)
		runtime.KeepAlive(b)
		fmt.Fprintln(w, "done")
	}))
}
