// SPDX-License-Identifier: Apache-2.0

// Ends by a panic that nobody recovers.
package main

func main() {
	panic("the stimulus panics")
}
