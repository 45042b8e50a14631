// SPDX-License-Identifier: Apache-2.0

module stimuli.test/broken

go 1.11
