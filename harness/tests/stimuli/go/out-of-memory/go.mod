// SPDX-License-Identifier: Apache-2.0

module stimuli.test/out-of-memory

go 1.11
