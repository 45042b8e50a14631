// SPDX-License-Identifier: Apache-2.0

//go:build go1.16
// +build go1.16

package main

import "runtime/metrics"

// A reader of metrics turns the generations of the runtime's heap statistics.
func readMetrics() {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/stacks:bytes"}, {Name: "/memory/classes/heap/free:bytes"}}
	for i := 0; i < 100; i++ {
		metrics.Read(samples)
	}
}
