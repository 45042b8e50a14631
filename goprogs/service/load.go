// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"io"
	"io/ioutil"
	"net/http"
	"time"
)

// load is some days of bursts at equal distances, each day with a night after it.
type load struct {
	days, requests, burst int
	every, night          time.Duration
}

func loadFlags() *load {
	var l load
	flag.IntVar(&l.days, "days", 3, "how many days")
	flag.IntVar(&l.requests, "requests", 1000, "bursts of requests a day")
	flag.IntVar(&l.burst, "burst", 1, "requests at once")
	flag.DurationVar(&l.every, "every", 40*time.Second, "from one burst to the next")
	flag.DurationVar(&l.night, "night", 13*time.Hour, "the pause after each day")
	return &l
}

// run ends with the first request that fails.
func (l *load) run(url string) error {
	client := &http.Client{Timeout: 30 * time.Second}
	began := time.Now()
	next, slowest := began, time.Duration(0)
	for day := 1; day <= l.days; day++ {
		for i := 1; i <= l.requests; i++ {
			asked := time.Now()
			if err := l.ask(client, url); err != nil {
				return fmt.Errorf("day %d, burst %d: %v", day, i, err)
			}
			if took := time.Since(asked); took > slowest {
				slowest = took
			}
			next = next.Add(l.every)
			time.Sleep(time.Until(next))
		}
		next = next.Add(l.night)
		time.Sleep(time.Until(next))
	}
	ended := time.Now()
	fmt.Printf("%d requests, the slowest burst took %v; %v by the monotonic clock, %v by the wall clock, planned %v\n", l.days*l.requests*l.burst,
		slowest, ended.Sub(began), ended.Round(0).Sub(began.Round(0)), next.Sub(began))
	return nil
}

// ask sends a burst, waits for all its answers, and returns an error of one where they are not what they should be.
func (l *load) ask(client *http.Client, url string) (err error) {
	errs := make(chan error, l.burst)
	for i := 0; i < l.burst; i++ {
		go func() { errs <- get(client, url) }()
	}
	for i := 0; i < l.burst; i++ {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return err
}

// get reads the whole answer.
func get(client *http.Client, url string) error {
	response, err := client.Get(url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err = io.Copy(ioutil.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s", response.Status)
	}
	return err
}
