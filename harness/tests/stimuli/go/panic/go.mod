// SPDX-License-Identifier: Apache-2.0

module stimuli.test/panic

go 1.11
