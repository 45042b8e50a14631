# SPDX-License-Identifier: Apache-2.0
#
# inside-figures.gp - draws every figure of inside.gp or numbers.gp; kind, here, dir and out are set.

set encoding utf8
set datafile missing "-"
set datafile separator "\t"
data = dir."/data/"
load data.kind.".gp"
load here."style.gp"
load here."inside-style.gp"

W = 1600
areas = kind eq "inside"
do for [fig = 1:n_figures] {
	first_panel = int(fig_panel[fig])
	shown = int(fig_n_panels[fig])
	title = fig_title[fig]
	# gnuplot divides whole numbers as whole numbers
	t_max_s = real(fig_t_max_s[fig])
	t_unit_s = real(fig_t_unit_s[fig])
	t_step = real(fig_t_step[fig])
	x_max = t_max_s / t_unit_s
	k_last = int(floor(x_max / t_step + 1e-9))
	y_unit_bytes = real(fig_y_unit_bytes[fig])
	y_step = real(fig_y_step[fig])
	y_top = fig_y_max_bytes[fig] / y_unit_bytes
	n_slots = int(fig_n_slots[fig])
	slot_0 = int(fig_slot[fig])
	colour(k) = areas ? part_colour[int(slot_hue[slot_0 + k])] : line_colour[int(slot_hue[slot_0 + k])]
	ink_at(k) = areas ? part_ink[int(slot_hue[slot_0 + k])] : line_ink[int(slot_hue[slot_0 + k])]
	tick(k) = sprintf(k == 1 ? "%g ".fig_t_unit_name[fig] : "%g", k * t_step)
	has_overlay = n_overlays > 0 && overlay_panel >= first_panel && overlay_panel < first_panel + shown
	if (shown == 1 && areas) { load here."inside-one.gp" } else { load here."inside-grid.gp" }
}
