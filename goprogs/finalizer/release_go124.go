// SPDX-License-Identifier: Apache-2.0

//go:build go1.24
// +build go1.24

package main

import "runtime"

// release has a cleanup, which does not keep the object that it is for.
func release(o *owner) {
	runtime.AddCleanup(o, func(g *guard) { g.closed = true }, o.guard)
}
