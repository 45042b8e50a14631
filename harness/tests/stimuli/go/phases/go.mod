// SPDX-License-Identifier: Apache-2.0

module stimuli.test/phases

go 1.11
