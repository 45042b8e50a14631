# SPDX-License-Identifier: Apache-2.0
#
# numbers.gp - what four monitors show of the same run: RSS, the cgroup's usage, the working set, Go's heap in use; a panel a cell.
#
#     gnuplot -c plots/numbers.gp results/CAMPAIGN/plots [OUT]        draws numbers.png
#
# The data come from `memtide plot results/CAMPAIGN`. Layout and drawing: inside-grid.gp; colours: inside-style.gp.

here = ARG0
while (strlen(here) && here[strlen(here):*] ne "/") { here = here[1:strlen(here) - 1] }
dir = ARG1
out = ARGC >= 2 ? ARG2 : ARG1
kind = "numbers"
load here."inside-figures.gp"
