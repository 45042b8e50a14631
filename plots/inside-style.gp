# SPDX-License-Identifier: Apache-2.0
#
# inside-style.gp - colours of what RSS consists of, and of the four numbers that monitors show; loaded by inside.gp and numbers.gp.

# --- the parts of RSS, always these: neighbours differ in lightness as well, so that they are told apart in grey and by the colour-blind.
# objects, fragmentation, goroutine stacks, idle, lazily freed, the runtime's own, native, thread stacks, files, other
array part_colour[10] = ["#0b4f8a", "#8fc1e3", "#c9500f", "#f4c95d", "#fbeecb", "#6b4a94", "#0a9474", "#8ed8c1", "#8b949e", "#d9dde1"]
array part_ink[10] = ["#0b4f8a", "#2f76a8", "#a8400a", "#8a6500", "#8a6d1f", "#5d3f86", "#00664f", "#2a7d66", "#57606a", "#57606a"]
# Lazily freed is hatched: it may go at any moment
hatched(i) = i == 5
c_hatch = "#d9b64a"
c_rss = "#1f2328"

# --- the four numbers: RSS, usage, working set, heap in use
# Where they agree they lie upon each other: the first are wide, the last narrow, so that all of them show.
array line_colour[4] = ["#1f2328", "#9ed0f0", "#f08a2c", "#009e73"]
array line_ink[4] = ["#1f2328", "#1f76a8", "#b55200", "#00734f"]
array line_width[4] = [5, 9.5, 2.3, 2.2]
array line_order[4] = [2, 1, 3, 4]
