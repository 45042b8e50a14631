// SPDX-License-Identifier: Apache-2.0

// Clockprog waits as Go programs do, prints `elapsed` and what its own clock says, `late` and by how much the latest wait was, for which a
// busy machine may leave a thread waiting, and exits with 0; with 3 and a sentence where time did not pass as it should: nothing is early.
//
//	-sleep D      time.Sleep, by the monotonic and by the wall clock
//	-timers       100 goroutines asleep for 1 to 100 s, time.After, a Ticker, a Timer that is stopped
//	-http N       N requests over loopback, one a second, each answered after 50 ms
//	-timeouts N   N requests to a server that never answers, each given up after 1 s
//	-exec D       executes itself with -sleep D
//	-cpu          CPU time does not count a sleep
//	-serve D      an HTTP server for D, on -addr
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/ioutil"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	answerTakes = 50 * time.Millisecond
	anyPort     = "127.0.0.1:0"
)

var (
	lock   sync.Mutex
	latest time.Duration
)

func late(by time.Duration) {
	lock.Lock()
	defer lock.Unlock()
	if by > latest {
		latest = by
	}
}

func main() {
	sleep := flag.Duration("sleep", 0, "")
	timers := flag.Bool("timers", false, "")
	requests := flag.Int("http", 0, "")
	timeouts := flag.Int("timeouts", 0, "")
	child := flag.Duration("exec", 0, "")
	cpu := flag.Bool("cpu", false, "")
	serve := flag.Duration("serve", 0, "")
	addr := flag.String("addr", anyPort, "")
	flag.Parse()

	began := time.Now()
	var err error
	switch {
	case *timers:
		err = waitByTimers()
	case *requests > 0:
		err = request(*requests)
	case *timeouts > 0:
		err = giveUp(*timeouts)
	case *child > 0:
		err = executeItself(*child)
	case *cpu:
		err = sleepWithoutCPU(time.Minute)
	case *serve > 0:
		err = serveFor(*serve, *addr)
	default:
		err = checked("time.Sleep", *sleep, sleeping(*sleep))
	}
	fmt.Printf("elapsed %.3f\nlate %.3f\n", time.Since(began).Seconds(), latest.Seconds())
	if err != nil {
		fmt.Fprintln(os.Stderr, "clockprog:", err)
		os.Exit(3)
	}
}

// checked runs wait, which should take exactly as long as expected by the monotonic clock and by the wall clock: 0.1 %
// is allowed.
func checked(what string, expected time.Duration, wait func() error) error {
	began := time.Now()
	if err := wait(); err != nil {
		return err
	}
	ended := time.Now()
	allowed := expected / 1000
	for clock, took := range map[string]time.Duration{
		"monotonic": ended.Sub(began),
		"wall":      ended.Round(0).Sub(began.Round(0)),
	} {
		off := took - expected
		late(off - allowed)
		if off < -allowed {
			return fmt.Errorf("%s took %v by the %s clock, not %v", what, took, clock, expected)
		}
	}
	return nil
}

func sleeping(d time.Duration) func() error {
	return func() error {
		time.Sleep(d)
		return nil
	}
}

// waitByTimers returns the first error of many goroutines that wait side by side.
func waitByTimers() error {
	var waits []func() error
	for i := 1; i <= 100; i++ {
		d := time.Duration(i) * time.Second
		waits = append(waits, func() error { return checked("one of 100 sleeps", d, sleeping(d)) })
	}
	waits = append(waits, func() error { return checked("time.After", 30*time.Second, waitAfter) })
	waits = append(waits, func() error { return checked("a Ticker", 42*time.Second, waitTicks) })
	waits = append(waits, func() error { return checked("a stopped Timer", 10*time.Second, waitStopped) })

	var group sync.WaitGroup
	errs := make(chan error, len(waits))
	for _, wait := range waits {
		group.Add(1)
		go func(wait func() error) {
			defer group.Done()
			errs <- wait()
		}(wait)
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func waitAfter() error {
	select {
	case <-make(chan int):
	case <-time.After(30 * time.Second):
	}
	return nil
}

func waitTicks() error {
	ticker := time.NewTicker(700 * time.Millisecond)
	defer ticker.Stop()
	for i := 0; i < 60; i++ {
		<-ticker.C
	}
	return nil
}

func waitStopped() error {
	timer := time.NewTimer(5 * time.Second)
	timer.Stop()
	select {
	case <-timer.C:
		return errors.New("a stopped Timer fired")
	case <-time.After(10 * time.Second):
		return nil
	}
}

// listen serves handler and returns its URL.
func listen(addr string, handler http.HandlerFunc) (string, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return "", err
	}
	go http.Serve(listener, handler)
	return "http://" + listener.Addr().String() + "/", nil
}

func answer(w http.ResponseWriter, _ *http.Request) {
	time.Sleep(answerTakes)
	fmt.Fprintln(w, "well")
}

func request(n int) error {
	url, err := listen(anyPort, answer)
	if err != nil {
		return err
	}
	return checked("the requests", time.Duration(n)*time.Second, func() error {
		began := time.Now()
		for i := 1; i <= n; i++ {
			if err := get(url); err != nil {
				return err
			}
			time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second)))
		}
		return nil
	})
}

func get(url string) error {
	began := time.Now()
	response, err := http.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := ioutil.ReadAll(response.Body)
	took := time.Since(began)
	if err != nil || response.StatusCode != http.StatusOK || string(body) != "well\n" {
		return fmt.Errorf("answered %s %q, %v", response.Status, body, err)
	}
	late(took - answerTakes)
	if took < answerTakes {
		return fmt.Errorf("an answer took %v, not %v", took, answerTakes)
	}
	return nil
}

// giveUp: a request makes a connection first.
func giveUp(n int) error {
	url, err := listen(anyPort, func(http.ResponseWriter, *http.Request) { select {} })
	if err != nil {
		return err
	}
	client := http.Client{Timeout: time.Second}
	for i := 0; i < n; i++ {
		began := time.Now()
		response, err := client.Get(url)
		took := time.Since(began)
		if err == nil {
			response.Body.Close()
			return errors.New("a server that never answers has answered")
		}
		if e, ok := err.(net.Error); !ok || !e.Timeout() {
			return err
		}
		late(took - time.Second)
		if took < time.Second {
			return fmt.Errorf("the time limit of 1 s came after %v", took)
		}
	}
	return nil
}

// executeItself compares what passed here with what the child says.
func executeItself(d time.Duration) error {
	began := time.Now()
	command := exec.Command(os.Args[0], "-sleep", d.String())
	command.Stderr = os.Stderr
	out, err := command.Output()
	took := time.Since(began)
	if err != nil {
		return err
	}
	var seconds float64
	if _, err := fmt.Sscanf(string(out), "elapsed %f", &seconds); err != nil {
		return fmt.Errorf("the child says %q: %v", out, err)
	}
	late(took - time.Duration(seconds*1e9))
	if took.Seconds() < seconds {
		return fmt.Errorf("it took %v, and the child says %v s", took, seconds)
	}
	return nil
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func sleepWithoutCPU(d time.Duration) error {
	before := cpuTime()
	if err := checked("time.Sleep", d, sleeping(d)); err != nil {
		return err
	}
	if used := cpuTime() - before; used < 0 || used > time.Second {
		return fmt.Errorf("asleep for %v, it used %v of CPU", d, used)
	}
	return nil
}

func serveFor(d time.Duration, addr string) error {
	if _, err := listen(addr, answer); err != nil {
		return err
	}
	time.Sleep(d)
	return nil
}
