// SPDX-License-Identifier: Apache-2.0

// Every goroutine waits for another: the runtime gives up with `fatal error: all goroutines are asleep - deadlock!`.
package main

func main() {
	<-make(chan int)
}
