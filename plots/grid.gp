# SPDX-License-Identifier: Apache-2.0
#
# grid.gp - the comparative figure: one small panel per release, the same axes everywhere.
#
#     gnuplot -c plots/grid.gp results/CAMPAIGN/plots [OUT]        draws grid.png and grid.svg, 1600 pixels wide
#
# The data come from `memtide plot results/CAMPAIGN`. Layout: panels.gp; colours and type: common.gp.

here = ARG0
while (strlen(here) && here[strlen(here):*] ne "/") { here = here[1:strlen(here) - 1] }
dir = ARG1
out = ARGC >= 2 ? ARG2 : ARG1
load here."common.gp"

W = 1600
columns = n_panels <= 3 ? n_panels : n_panels == 4 ? 4 : n_panels <= 6 ? 3 : n_panels <= 8 ? 4 : n_panels <= 10 ? 5 : \
	n_panels <= 12 ? 6 : n_panels <= 15 ? 5 : n_panels <= 18 ? 6 : n_panels <= 20 ? 5 : 7
x_left = 84
x_right = 36
gap = 30
px_title = 27
px_sub = 17.5
px_name = 20
px_note = 15.5
px_tick = 15.5
px_small = 14
lw_median = 2.2
rows = (n_panels + columns - 1) / columns
plot_height = rows == 1 ? 420 : rows == 2 ? 280 : 200
shape = "wide"
load here."panels.gp"

set terminal pngcairo size W, H noenhanced rounded background "white" font font(px_tick) linewidth 1
set output out."/grid.png"
load here."panels-draw.gp"
set output

k_font = 1
set terminal svg size W, H noenhanced rounded background "white" font font(px_tick) linewidth 1
set output out."/grid.svg"
load here."panels-draw.gp"
set output
call here."svg-fonts.gp" out."/grid.svg"
