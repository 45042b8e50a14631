// SPDX-License-Identifier: Apache-2.0

module stimuli.test/deadlock

go 1.11
