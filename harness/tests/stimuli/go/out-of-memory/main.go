// SPDX-License-Identifier: Apache-2.0

// Asks for more memory than the kernel lets it map, by its own RLIMIT_AS: the runtime gives up by itself, far below any
// cgroup's limit.
package main

import (
	"os"
	"syscall"
)

var kept []byte

func main() {
	limit := syscall.Rlimit{Cur: 2 << 30, Max: 2 << 30}
	if syscall.Setrlimit(syscall.RLIMIT_AS, &limit) != nil {
		os.Exit(9)
	}
	kept = make([]byte, 8<<30)
}
