// SPDX-License-Identifier: Apache-2.0

module stimuli.test/clockcgo

go 1.11
