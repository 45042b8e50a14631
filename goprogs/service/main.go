// SPDX-License-Identifier: Apache-2.0

// Service is an HTTP server whose requests need memory for a moment, and with -load the client that keeps it busy by day and
// leaves it alone at night. What the server's resident memory does at night is up to the Go release, its settings and the
// kernel. It is built with every Go release from 1.11 on, so it uses nothing newer.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"io/ioutil"
	"math"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"memtide.dev/goprogs/mark"
)

const (
	pageSize = 4096
	takes    = 50 * time.Millisecond // each request, with its memory in use
)

func main() {
	serving := flag.Bool("serve", false, "be the server")
	loading := flag.Bool("load", false, "be the client")
	addr := flag.String("addr", "127.0.0.1:8080", "where the server listens")
	size := flag.String("size", "10MB", "what each request allocates and drops")
	var l load
	flag.IntVar(&l.days, "days", 3, "how many days")
	flag.IntVar(&l.requests, "requests", 1000, "bursts of requests a day")
	flag.IntVar(&l.burst, "burst", 1, "requests at once")
	flag.DurationVar(&l.every, "every", 40*time.Second, "from one burst to the next")
	flag.DurationVar(&l.night, "night", 13*time.Hour, "the pause after each day")
	flag.Parse()

	if *serving == *loading {
		exit(2, "one of -serve and -load is needed")
	}
	if *loading {
		l.run("http://" + *addr + "/")
		return
	}
	bytes, err := parseSize(*size)
	if err != nil {
		exit(2, "-size:", err)
	}
	exit(1, serve(*addr, bytes))
}

func exit(code int, message ...interface{}) {
	fmt.Fprintln(os.Stderr, append([]interface{}{"service:"}, message...)...)
	os.Exit(code)
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

// load is some days of bursts at equal distances, each day with a night after it.
type load struct {
	days, requests, burst int
	every, night          time.Duration
}

// result is what run prints; times are by the program's own clocks.
type result struct {
	Requests    int     `json:"requests"`
	Failed      int     `json:"failed"`
	Slowest     float64 `json:"slowest_s"`
	Elapsed     float64 `json:"elapsed_s"`      // by the monotonic clock
	ElapsedWall float64 `json:"elapsed_wall_s"` // by the wall clock
	Expected    float64 `json:"expected_s"`
}

func (l load) run(url string) {
	client := &http.Client{Timeout: 30 * time.Second}
	var res result
	began := time.Now()
	next := began
	for day := 0; day < l.days; day++ {
		for i := 0; i < l.requests; i++ {
			for _, a := range l.ask(client, url) {
				res.Requests++
				if a.err != nil {
					res.Failed++
					fmt.Fprintf(os.Stderr, "service: day %d, request %d: %v\n", day+1, i+1, a.err)
				}
				res.Slowest = math.Max(res.Slowest, a.took.Seconds())
			}
			next = next.Add(l.every)
			time.Sleep(time.Until(next))
		}
		next = next.Add(l.night)
		time.Sleep(time.Until(next))
	}
	ended := time.Now()
	res.Elapsed = ended.Sub(began).Seconds()
	res.ElapsedWall = ended.Round(0).Sub(began.Round(0)).Seconds()
	res.Expected = next.Sub(began).Seconds()
	json.NewEncoder(os.Stdout).Encode(res)
	if res.Failed > 0 {
		os.Exit(1)
	}
}

type answer struct {
	took time.Duration
	err  error
}

// ask sends a burst, and waits for all its answers.
func (l load) ask(client *http.Client, url string) []answer {
	answers := make([]answer, l.burst)
	var all sync.WaitGroup
	all.Add(l.burst)
	for i := range answers {
		go func(a *answer) {
			a.took, a.err = get(client, url)
			all.Done()
		}(&answers[i])
	}
	all.Wait()
	return answers
}

// get returns how long the whole answer took, and an error where it is not what it should be. The client gives up in time.
func get(client *http.Client, url string) (time.Duration, error) {
	began := time.Now()
	response, err := client.Get(url)
	if err != nil {
		return time.Since(began), err
	}
	defer response.Body.Close()
	if _, err = io.Copy(ioutil.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s", response.Status)
	}
	return time.Since(began), err
}

// parseSize reads "10MB" or "512kB"; units are powers of 1024.
func parseSize(text string) (int, error) {
	for suffix, factor := range map[string]int{"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30} {
		if n, err := strconv.Atoi(strings.TrimSuffix(text, suffix)); strings.HasSuffix(text, suffix) && err == nil && n > 0 {
			return n * factor, nil
		}
	}
	return 0, fmt.Errorf("%q is not a size: write a whole number and kB, MB or GB", text)
}
