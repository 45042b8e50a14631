# SPDX-License-Identifier: Apache-2.0
#
# inside.gp - what RSS consists of, in single runs: a grid of panels, and for few cells a figure each.
#
#     gnuplot -c plots/inside.gp results/CAMPAIGN/plots [OUT]        draws inside.png, and inside-CELL.png where there are few cells
#
# The data come from `memtide plot results/CAMPAIGN`. Layout and drawing: inside-grid.gp, inside-one.gp; colours: inside-style.gp.

here = ARG0
while (strlen(here) && here[strlen(here):*] ne "/") { here = here[1:strlen(here) - 1] }
dir = ARG1
out = ARGC >= 2 ? ARG2 : ARG1
kind = "inside"
load here."inside-figures.gp"
