// SPDX-License-Identifier: Apache-2.0

package mark

import (
	"os"
	"runtime/debug"
	"time"
)

// MEMTIDE_FREE_AT=30s: that long after its start the program calls debug.FreeOSMemory(), as `memtide diagnose --confirm` asks it
// to: free memory goes by it, memory in use stays. A time and not a signal, since os/signal alone starts a goroutine before Go 1.13.
func init() {
	after, err := time.ParseDuration(os.Getenv("MEMTIDE_FREE_AT"))
	if err != nil || after <= 0 {
		return
	}
	go func() {
		time.Sleep(after)
		debug.FreeOSMemory()
	}()
}
