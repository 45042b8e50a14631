// SPDX-License-Identifier: Apache-2.0

// Broken does not compile with Go 1.11 (old.go), and does nothing with any later release.
package main

func main() {
}
