// SPDX-License-Identifier: Apache-2.0

module stimuli.test/symbols

go 1.11
