# SPDX-License-Identifier: Apache-2.0
#
# overlay-draw.gp - draws what overlay.gp laid out, into the terminal that is set; loaded once per picture.

unset label
unset arrow
unset object
unset key
unset border
unset xtics
unset ytics
set lmargin at screen sx(x_left)
set rmargin at screen sx(x_right)
set tmargin at screen sy(y1)
set bmargin at screen sy(y2)

load here."texts.gp"

# axes, marks, limit
ny = int(y_top / y_step + 1e-9)
do for [k = 0:ny] {
	set arrow from x_min, k * y_step to x_max, k * y_step nohead back lc rgb (k ? c_grid : c_axis) lw 1
	set label sprintf(k == ny ? "%g ".y_unit_name : "%g", k * y_step) \
		at screen sx(x_left - 10), sy(y_of(k * y_step * y_unit_bytes)) \
		right font font(px_tick) tc rgb c_soft
}
do for [k = k_first:k_last] {
	set label tick(k) \
		at screen sx(x_of(k * t_step * t_unit_s)), sy(y2 + px_tick * 1.2) center font font(px_tick) tc rgb c_soft
	set arrow from screen sx(x_of(k * t_step * t_unit_s)), sy(y2) to screen sx(x_of(k * t_step * t_unit_s)), sy(y2 + 6) nohead \
		lc rgb c_axis lw 1
}
do for [m = 1:n_marks] {
	if (shared_t_s[m] == shared_t_s[m] && shared_t_s[m] <= t_max_s) {
		if (mark_act[m]) {
			set arrow from shared_t_s[m] / t_unit_s, 0 to shared_t_s[m] / t_unit_s, y_top nohead back lc rgb c_soft lw 1.1 dt (4, 4)
		} else {
			set arrow from shared_t_s[m] / t_unit_s, 0 to shared_t_s[m] / t_unit_s, y_top nohead back lc rgb c_mark lw 1 dt (1, 5)
		}
	}
}
do for [m = 1:n_names] {
	y_name = y1 - (name_level[m] - 0.5) * name_height
	set arrow from screen sx(name_x[m]), sy(y1) to screen sx(name_x[m]), sy(y_name - px_small * 0.4) nohead lc rgb c_axis lw 1
	set label name_text[m] at screen sx(name_x[m] + px_small * 0.3), sy(y_name) left font font(px_small) tc rgb c_soft
}
if (limit_bytes > 0) {
	set arrow from x_min, limit_bytes / y_unit_bytes to x_max, limit_bytes / y_unit_bytes nohead back lc rgb c_limit_line lw 1.2
	set label panel_limit_name[1] at screen sx(x_right), sy(y_of(limit_bytes) - px_small * 0.7) right font font(px_small) \
		tc rgb c_limit
}

# The time before 0, where programs load at the pace that the machine allows, is not what the figure is about: pale
if (t_min_s < 0) {
	set object rectangle from x_min, 0 to 0, (limit_bytes > 0 ? 0.98 * limit_bytes / y_unit_bytes : y_top) front \
		fs transparent solid 0.55 noborder fc rgb "white"
}

# labels and the lines that lead to them
do for [g = 1:n_groups] {
	y_end = y_of(group_end_bytes[g])
	y_first = label_y[g] + px_name * 0.9
	x_end = x_of(group_end_t_s[g])
	if (x_end < x_right - 2) {
		set arrow from screen sx(x_end + 8), sy(y_end) to screen sx(x_right), sy(y_end) nohead lc rgb hue_of(group_hue[g]) lw 1 dt (1, 7)
	}
	set arrow from screen sx(x_right + 3), sy(y_end) to screen sx(x_label - 8), sy(y_first) nohead lc rgb hue_of(group_hue[g]) lw 1.3
	do for [i = 1:lines(label_name[g])] {
		set label line_of(label_name[g], i) at screen sx(x_text), sy(y_first + (i - 1) * px_name * 1.28) left \
			font bold(fit(line_of(label_name[g], i), px_name, (W - 24 - x_text) / 1.1)) tc rgb ink_of(group_hue[g])
	}
	set label group_note[g] at screen sx(x_text), sy(y_first + lines(label_name[g]) * px_name * 1.28) left \
		font font(fit(group_note[g], px_note, W - 24 - x_text)) tc rgb ink_of(group_hue[g])
}

# With more than two groups colour alone is hard to follow: each has a number, on its curve and at its label
px_tag = 15
do for [g = 1:tags] {
	set object circle at screen sx(x_label + 9), sy(label_y[g] + px_name * 0.9) size screen 11.0 / W front \
		fs solid border rgb hue_of(group_hue[g]) fc rgb "white" lw 1.5
	set label sprintf("%d", g) at screen sx(x_label + 9), sy(label_y[g] + px_name * 0.9) center front font bold(px_tag) \
		tc rgb ink_of(group_hue[g])
	if (group_tag_t_s[g] == group_tag_t_s[g]) {
		x_tag = sx(x_of(group_tag_t_s[g]))
		y_tag = sy(y_of(group_tag_bytes[g]))
		set object circle at screen x_tag, y_tag size screen 11.0 / W front fs solid border rgb hue_of(group_hue[g]) fc rgb "white" lw 1.5
		set label sprintf("%d", g) at screen x_tag, y_tag center front font bold(px_tag) tc rgb ink_of(group_hue[g])
	}
}

# What is laid over from elsewhere is named above
do for [i = 1:n_overlays] {
	y_line = y_over + (i - 1) * px_note * 1.5
	eval(sprintf("set arrow from screen sx(head_left), sy(y_line) to screen sx(head_left + 44), sy(y_line) nohead lc rgb over_colour[%d] lw 2.2 dt %s", \
		i, over_dash(i)))
	set label overlay_name[i] at screen sx(head_left + 54), sy(y_line) left font font(px_note) tc rgb over_colour[i]
}

drawn = "plot [x_min:x_max] [0:y_top] -1 notitle"
# The group that ends highest lies on top: the others are seen where they leave it. Variants that lie upon each other have gaps
# for each other, as in the grid: then whole curves come first.
most_layers = 1
if (by_variant) {
	do for [i = 1:n_panels * n_settings] { if (curve_layers[i] > most_layers) { most_layers = curve_layers[i] } }
}
do for [layer = 0:most_layers - 1] {
	do for [g = n_groups:1:-1] {
		do for [i = 1:n_panels * n_settings] {
			if (curve_group[i] == g && (!by_variant || curve_layer[i] == layer)) {
				drawn = drawn.sprintf(", data.curve_file[%d] index 0 using ($1 / t_unit_s):($3 / y_unit_bytes) with lines", i).\
					sprintf(" lc rgb hue_of(group_hue[%d]) lw 2.4%s notitle", g, by_variant ? layer_dash(i) : "")
				if (curve_cross[i]) {
					drawn = drawn.sprintf(", '+' using (cross_t_s[%d] / t_unit_s):(cross_bytes[%d] / y_unit_bytes) every 1000", i, i).\
						sprintf(" with points pt 2 ps 2 lw 2.6 lc rgb hue_of(group_hue[%d]) notitle", g)
				}
			}
		}
	}
}
if (n_overlays > 0) { drawn = drawn.overlay_from(1) }
eval(drawn)
