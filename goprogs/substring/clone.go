// SPDX-License-Identifier: Apache-2.0

//go:build !go1.18
// +build !go1.18

package main

// clone does what strings.Clone does since Go 1.18.
func clone(s string) string {
	return string([]byte(s))
}
