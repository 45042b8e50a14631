// SPDX-License-Identifier: Apache-2.0

module stimuli.test/parked

go 1.11
