// SPDX-License-Identifier: Apache-2.0

//go:build !go1.24
// +build !go1.24

package main

import "runtime"

// release has the finalizer of an object that is not part of the cycle.
func release(o *owner) {
	runtime.SetFinalizer(o.guard, func(g *guard) { g.closed = true })
}
