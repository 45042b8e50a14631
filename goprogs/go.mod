// SPDX-License-Identifier: Apache-2.0

module memtide.dev/goprogs

go 1.11
