# SPDX-License-Identifier: Apache-2.0
#
# heatmap.gp - release by setting: the share of the memory that was given back.
#
#     gnuplot -c plots/heatmap.gp results/CAMPAIGN/plots [OUT]        draws heatmap.png and heatmap.svg, 1600 pixels wide
#
# The data come from `memtide plot results/CAMPAIGN`. More is darker; the value stands in the cell, so no scale is needed.

here = ARG0
while (strlen(here) && here[strlen(here):*] ne "/") { here = here[1:strlen(here) - 1] }
dir = ARG1
out = ARGC >= 2 ? ARG2 : ARG1
load here."common.gp"

W = 1600
px_title = 27
px_sub = 17.5
px_name = 18
px_value = 20
px_small = 14
head_left = 32
title_lines = wrap_even(title, int((W - 2 * head_left) / (px_title * 0.61)))
sub_lines = wrap_even(heatmap_subtitle, int((W - 2 * head_left) / (px_sub * 0.575)))
source_lines = wrap_even(source, int((W - 2 * head_left) / (px_small * 0.575)))
y_title = 26 + px_title * 0.5
y_sub = 26 + lines(title_lines) * px_title * 1.25 + px_sub * 0.75
# Where the panels tell an axis beside the release, its value stands below that
by_part = panel_part[1] ne ""
y_names = y_sub + lines(sub_lines) * px_sub * 1.4 + px_sub * 0.8

x_left = head_left
do for [s = 1:n_settings] {
	x_name = head_left + text_width(setting_name[s], px_name) + 18
	if (x_name > x_left) { x_left = x_name }
}
if (x_left > 420) { x_left = 420 }
cell_width = (W - head_left - x_left) / real(n_panels)
if (cell_width > 190) { cell_width = 190 }
cell_height = 84
short_names = 1
do for [p = 1:n_panels] { if (panel_name[p][1:3] ne "Go ") { short_names = 0 } }
y1 = y_names + px_name * (by_part ? 2.0 : 1.1)
y_source = y1 + n_settings * cell_height + px_small * 1.2
H = int(y_source + lines(source_lines) * px_small * 1.4 + px_small * 0.9)

# From pale to the figures' dark blue
mixed(a, b, x) = int(a + (b - a) * x + 0.5)
shade(x) = sprintf("#%02x%02x%02x", mixed(0xea, 0x0b, x), mixed(0xf1, 0x4f, x), mixed(0xf8, 0x8a, x))

set terminal pngcairo size W, H noenhanced rounded background "white" font font(px_small) linewidth 1
set output out."/heatmap.png"
load here."heatmap-draw.gp"
set output

k_font = 1
set terminal svg size W, H noenhanced rounded background "white" font font(px_small) linewidth 1
set output out."/heatmap.svg"
load here."heatmap-draw.gp"
set output
call here."svg-fonts.gp" out."/heatmap.svg"
