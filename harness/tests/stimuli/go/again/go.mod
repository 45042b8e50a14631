// SPDX-License-Identifier: Apache-2.0

module stimuli.test/again

go 1.11
