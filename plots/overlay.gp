# SPDX-License-Identifier: Apache-2.0
#
# overlay.gp - all curves in one panel; those that run alike share a colour and one label at their end.
#
#     gnuplot -c plots/overlay.gp results/CAMPAIGN/plots [OUT]        draws overlay.png and overlay.svg, 1600 pixels wide
#
# The data come from `memtide plot results/CAMPAIGN`, which also forms the groups, the one that ends highest first.

here = ARG0
while (strlen(here) && here[strlen(here):*] ne "/") { here = here[1:strlen(here) - 1] }
dir = ARG1
out = ARGC >= 2 ? ARG2 : ARG1
load here."common.gp"

W = 1600
px_title = 27
px_sub = 17.5
px_name = 17.5
px_note = 16.5
px_tick = 16.5
px_small = 14
head_left = 32
x_left = 96
x_label = 1150
x_right = x_label - 46
tags = n_groups > 2 ? n_groups : 0
x_text = x_label + (tags ? 30 : 0)
label_chars = int((W - 28 - x_text) / (px_name * 0.70))
title_lines = wrap_even(title, int((W - 2 * head_left) / (px_title * 0.61)))
sub_lines = wrap_even(subtitle, int((W - 2 * head_left) / (px_sub * 0.575)))
source_lines = wrap_even(source, int((W - 2 * head_left) / (px_small * 0.575)))
y_title = 26 + px_title * 0.5
y_sub = 26 + lines(title_lines) * px_title * 1.25 + px_sub * 0.75

# Names of the marks that all runs share, above the panel: to the right of their line, the leftmost highest where they would meet;
# those nearer to each other than a letter share a name. From the right, so the order is the reverse of time.
x_of(t) = x_left + (x_right - x_left) * (t - t_min_s) / (t_max_s - t_min_s)
array name_x[n_marks + 1]
array name_text[n_marks + 1]
array name_level[n_marks + 1]
n_names = 0
name_levels = 0
do for [m = n_marks:1:-1] {
	if (shared_t_s[m] == shared_t_s[m] && shared_t_s[m] <= t_max_s) {
		at_x = x_of(shared_t_s[m])
		if (n_names > 0 && name_x[n_names] - at_x < px_small * 0.7) {
			name_text[n_names] = mark_name[m].", ".name_text[n_names]
			name_x[n_names] = at_x
		} else {
			n_names = n_names + 1
			name_x[n_names] = at_x
			name_text[n_names] = mark_name[m]
			name_level[n_names] = 1
		}
	}
}
do for [m = 2:n_names] {
	meets = name_x[m] + text_width(name_text[m], px_small) + px_small > name_x[m - 1]
	name_level[m] = meets ? name_level[m - 1] + 1 : 1
}
do for [m = 1:n_names] { if (name_level[m] > name_levels) { name_levels = name_level[m] } }
name_height = px_small * 1.25
y_over = y_sub + lines(sub_lines) * px_sub * 1.4
y1 = y_over + n_overlays * px_note * 1.5 - px_sub * 0.5 + (name_levels ? name_levels * name_height + px_small * 0.3 : 0)

# Labels: as near to their curve's end as the one above allows, then up again from the bottom where they would leave the figure
array label_name[n_groups + 1]
array label_height[n_groups + 1]
array label_y[n_groups + 1]
all_heights = 0
do for [g = 1:n_groups] {
	label_name[g] = wrap(group_name[g], label_chars)
	label_height[g] = lines(label_name[g]) * px_name * 1.28 + (group_note[g] ne "") * px_note * 1.3 + px_name * 0.55
	all_heights = all_heights + label_height[g]
}
plot_height = all_heights > 620 ? all_heights : 620
y2 = y1 + plot_height
y_source = y2 + px_tick * 2.6
H = int(y_source + lines(source_lines) * px_small * 1.4 + px_small * 0.9)
y_of(bytes) = y2 - plot_height * bytes / y_max_bytes
low = y1
do for [g = 1:n_groups] {
	label_y[g] = y_of(group_end_bytes[g]) - label_height[g] / 2
	if (label_y[g] < low) { label_y[g] = low }
	low = label_y[g] + label_height[g]
}
high = y2 + px_name
do for [g = n_groups:1:-1] {
	if (label_y[g] + label_height[g] > high) { label_y[g] = high - label_height[g] }
	high = label_y[g]
}

set terminal pngcairo size W, H noenhanced rounded background "white" font font(px_tick) linewidth 1
set output out."/overlay.png"
load here."overlay-draw.gp"
set output

k_font = 1
set terminal svg size W, H noenhanced rounded background "white" font font(px_tick) linewidth 1
set output out."/overlay.svg"
load here."overlay-draw.gp"
set output
call here."svg-fonts.gp" out."/overlay.svg"
