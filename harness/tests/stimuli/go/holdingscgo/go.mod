// SPDX-License-Identifier: Apache-2.0

module stimuli.test/holdingscgo

go 1.11
