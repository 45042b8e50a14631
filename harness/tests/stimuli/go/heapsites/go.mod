// SPDX-License-Identifier: Apache-2.0

module stimuli.test/heapsites

go 1.11
