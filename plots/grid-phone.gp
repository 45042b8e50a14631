# SPDX-License-Identifier: Apache-2.0
#
# grid-phone.gp - the comparative figure for a narrow screen: 800 pixels wide, made to be read at 400.
#
#     gnuplot -c plots/grid-phone.gp results/CAMPAIGN/plots [OUT]        draws grid-phone.png
#
# The same panels as grid.gp in two columns and larger type.

here = ARG0
while (strlen(here) && here[strlen(here):*] ne "/") { here = here[1:strlen(here) - 1] }
dir = ARG1
out = ARGC >= 2 ? ARG2 : ARG1
load here."common.gp"

W = 800
columns = n_panels > 1 ? 2 : 1
x_left = 74
x_right = 22
gap = 30
px_title = 36
px_sub = 23
px_name = 29
px_note = 22.5
px_tick = 21
px_small = 20
lw_median = 3.2
rows = (n_panels + columns - 1) / columns
plot_height = rows == 1 ? 420 : 165
shape = "phone"
load here."panels.gp"

set terminal pngcairo size W, H noenhanced rounded background "white" font font(px_tick) linewidth 1
set output out."/grid-phone.png"
load here."panels-draw.gp"
set output
