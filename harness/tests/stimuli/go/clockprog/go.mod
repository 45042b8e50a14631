// SPDX-License-Identifier: Apache-2.0

module stimuli.test/clockprog

go 1.11
