// SPDX-License-Identifier: Apache-2.0

//go:build !go1.12
// +build !go1.12

package main

func init() {
	undefinedInBroken()
}
