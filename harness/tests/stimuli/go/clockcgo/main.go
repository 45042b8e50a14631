// SPDX-License-Identifier: Apache-2.0

// Clockcgo waits in C, beside a Go runtime: 100 threads in nanosleep(300 s), and one in pthread_cond_timedwait for as long. It
// prints `elapsed` and what its own clock says, and exits with 0; with 3 and a sentence where that is off by more than 1 %.
package main

/*
#cgo LDFLAGS: -pthread
#include <errno.h>
#include <pthread.h>
#include <time.h>

enum { THREADS = 100, SECONDS = 300 };

static void *sleeper(void *ret)
{
	struct timespec t = { SECONDS, 0 };

	*(int *)ret = nanosleep(&t, NULL);
	return NULL;
}

// 0, or how many of the sleeps did not come to their end.
static int sleep_in_threads(void)
{
	pthread_t threads[THREADS];
	int results[THREADS], failed = 0;

	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, sleeper, &results[i]) != 0)
			return -1;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		failed += results[i] != 0;
	}
	return failed;
}

// What pthread_cond_timedwait returned at last.
static int wait_for_condition(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
	struct timespec end;
	int r;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += SECONDS;
	pthread_mutex_lock(&mutex);
	do
		r = pthread_cond_timedwait(&condition, &mutex, &end);
	while (r == 0);
	pthread_mutex_unlock(&mutex);
	return r == ETIMEDOUT ? 0 : r;
}
*/
import "C"

import (
	"fmt"
	"os"
	"time"
)

// checked runs a wait of C's that should return 0 after C.SECONDS.
func checked(what string, wait func() C.int) error {
	began := time.Now()
	if r := wait(); r != 0 {
		return fmt.Errorf("%s returned %d", what, r)
	}
	took, expected := time.Since(began), C.SECONDS*time.Second
	if off := took - expected; off < -expected/100 || off > expected/100 {
		return fmt.Errorf("%s took %v, not %v", what, took, expected)
	}
	return nil
}

func main() {
	began := time.Now()
	waits := map[string]func() C.int{
		"100 threads in nanosleep": func() C.int { return C.sleep_in_threads() },
		"pthread_cond_timedwait":   func() C.int { return C.wait_for_condition() },
	}
	errs := make(chan error)
	for what, wait := range waits {
		go func(what string, wait func() C.int) { errs <- checked(what, wait) }(what, wait)
	}
	code := 0
	for range waits {
		if err := <-errs; err != nil {
			fmt.Fprintln(os.Stderr, "clockcgo:", err)
			code = 3
		}
	}
	fmt.Printf("elapsed %.3f\n", time.Since(began).Seconds())
	os.Exit(code)
}
