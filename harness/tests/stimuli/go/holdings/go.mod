// SPDX-License-Identifier: Apache-2.0

module stimuli.test/holdings

go 1.11
