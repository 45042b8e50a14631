// SPDX-License-Identifier: Apache-2.0

module stimuli.test/threads

go 1.11
