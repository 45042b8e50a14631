# SPDX-License-Identifier: Apache-2.0
#
# inside-one.gp - one run alone: its areas with their names at the right, marks and collections above. Loaded by inside-figures.gp.

p = first_panel
px_title = 27
px_sub = 17.5
px_name = 17
px_note = 15
px_tick = 16.5
px_small = 14
lw_rss = 2.2
head_left = 32
x_left = 96
x_right = 1180
x_text = 1248
title_lines = wrap_even(title, int((W - 2 * head_left) / (px_title * 0.61)))
sub_lines = wrap_even(subtitle, int((W - 2 * head_left) / (px_sub * 0.575)))
source_lines = wrap_even(source, int((W - 2 * head_left) / (px_small * 0.575)))
y_title = 26 + px_title * 0.5
y_sub = 26 + lines(title_lines) * px_title * 1.25 + px_sub * 0.75
x_of(t) = x_left + (x_right - x_left) * t / t_max_s

# Names of the marks, to the right of their line, or to the left where they would leave the figure; the leftmost highest where they would
# meet. Those nearer to each other than a letter share a name. From the right, so the order is the reverse of time.
n_marks = int(panel_n_marks[p])
mark_0 = int(panel_mark[p])
array name_x[n_marks + 1]
array name_text[n_marks + 1]
array name_kind[n_marks + 1]
array name_level[n_marks + 1]
array name_left[n_marks + 1]
n_names = 0
name_levels = 0
do for [m = n_marks:1:-1] {
	at_x = x_of(mark_t_s[mark_0 + m])
	if (n_names > 0 && name_x[n_names] - at_x < px_small * 0.5 && mark_kind[mark_0 + m] < 2 && name_kind[n_names] < 2) {
		name_text[n_names] = mark_text[mark_0 + m].", ".name_text[n_names]
		name_x[n_names] = at_x
	} else {
		n_names = n_names + 1
		name_x[n_names] = at_x
		name_text[n_names] = mark_text[mark_0 + m]
		name_kind[n_names] = mark_kind[mark_0 + m]
	}
}
name_end(m) = name_x[m] + text_width(name_text[m], px_small) + px_small
do for [m = 1:n_names] {
	name_left[m] = name_end(m) > W - 20
	name_level[m] = 1
	again = 1
	while (again) {
		again = 0
		do for [l = 1:m - 1] {
			if (name_level[l] == name_level[m] && (name_left[m] || name_left[l] || name_end(m) > name_x[l])) { again = 1 }
		}
		if (again) { name_level[m] = name_level[m] + 1 }
	}
	if (name_level[m] > name_levels) { name_levels = name_level[m] }
}
name_height = px_small * 1.3
rug_height = 18
y_names = y_sub + lines(sub_lines) * px_sub * 1.4 - px_sub * 0.2
y_rug = y_names + name_levels * name_height + px_small * 0.5
y1 = y_rug + 2 * rug_height + 4

# Names of what is laid over, which may need several lines
over_height = 0
array over_y[n_overlays + 1]
array over_name[n_overlays + 1]
do for [i = 1:(has_overlay ? n_overlays : 0)] {
	over_name[i] = wrap(overlay_name[i], int((W - 20 - x_text) / (px_note * 0.62)))
	over_y[i] = px_name * 1.9 + over_height + px_note * 0.6
	over_height = over_height + lines(over_name[i]) * px_note * 1.3 + px_note * 0.4
}

# Names of the areas, the uppermost highest, each as near to the end of its area as the one above allows
label_height = px_name * 1.3 + px_note * 1.3 + px_name * 0.5
plot_height = (n_slots + 1) * label_height + over_height
if (plot_height < 560) { plot_height = 560 }
y2 = y1 + plot_height
y_source = y2 + px_tick * 2.6
H = int(y_source + lines(source_lines) * px_small * 1.4 + px_small * 0.9)
y_of(bytes) = y2 - plot_height * bytes / (y_top * y_unit_bytes)
array slot_mid[n_slots + 1]
array label_y[n_slots + 1]
end_sum = 0
do for [k = 1:n_slots] {
	slot_mid[k] = y_of(end_sum + slot_end_bytes[slot_0 + k] / 2.0)
	end_sum = end_sum + slot_end_bytes[slot_0 + k]
}
# RSS and what is laid over have the upper end
y_rss_label = y1
low = y1 + px_name * 1.8 + over_height
do for [k = n_slots:1:-1] {
	label_y[k] = slot_mid[k] - label_height / 2
	if (label_y[k] < low) { label_y[k] = low }
	low = label_y[k] + label_height
}
high = y2 + px_name
do for [k = 1:n_slots] {
	if (label_y[k] + label_height > high) { label_y[k] = high - label_height }
	high = label_y[k]
}

set terminal pngcairo size W, H noenhanced rounded background "white" font font(px_tick) linewidth 1
set output out."/".fig_picture[fig]
set multiplot
unset label
unset arrow
unset object
unset key
unset border
unset xtics
unset ytics

# --- head, foot, names of the areas
set lmargin at screen 0
set rmargin at screen 1
set bmargin at screen 0
set tmargin at screen 1
load here."texts.gp"
x_swatch = x_text - 26
set arrow from screen sx(x_swatch - 6), sy(y_rss_label + px_name * 0.9) to screen sx(x_swatch + 16), sy(y_rss_label + px_name * 0.9) nohead lc rgb c_rss lw 3
set label "RSS, as the kernel counts" at screen sx(x_text), sy(y_rss_label + px_name * 0.9) left font bold(px_name) tc rgb c_text
if (has_overlay) {
	do for [i = 1:n_overlays] {
		y_over = y_rss_label + over_y[i]
		eval(sprintf("set arrow from screen sx(x_swatch - 16), sy(y_over) to screen sx(x_swatch + 18), sy(y_over) nohead lc rgb over_colour[%d] lw 2.2 dt %s", i, over_dash(i)))
		do for [l = 1:lines(over_name[i])] {
			set label line_of(over_name[i], l) at screen sx(x_text), sy(y_over + (l - 1) * px_note * 1.3) left font font(px_note) tc rgb over_colour[i]
		}
	}
}
x_end = x_of(panel_end_t_s[p] < t_max_s ? panel_end_t_s[p] : t_max_s)
do for [k = 1:n_slots] {
	y_first = label_y[k] + px_name * 0.9
	set object rectangle from screen sx(x_swatch), sy(y_first + 8) to screen sx(x_swatch + 16), sy(y_first - 8) \
		fs solid 1 border rgb (hatched(int(slot_hue[slot_0 + k])) ? c_hatch : colour(k)) fc rgb colour(k)
	if (hatched(int(slot_hue[slot_0 + k]))) {
		set object rectangle from screen sx(x_swatch), sy(y_first + 8) to screen sx(x_swatch + 16), sy(y_first - 8) \
			fs transparent pattern 4 border rgb c_hatch fc rgb c_hatch
	}
	if (slot_end_bytes[slot_0 + k] >= 0.004 * y_top * y_unit_bytes) {
		set arrow from screen sx(x_end + 5), sy(slot_mid[k]) to screen sx(x_swatch - 7), sy(y_first) nohead lc rgb ink_at(k) lw 1.1
	}
	set label slot_name[slot_0 + k] at screen sx(x_text), sy(y_first) left font bold(px_name) tc rgb ink_at(k)
	set label slot_text[slot_0 + k] at screen sx(x_text), sy(y_first + px_name * 1.3) left \
		font font(fit(slot_text[slot_0 + k], px_note, W - 18 - x_text)) tc rgb c_soft
}

# --- marks, and the two rows of ticks
do for [m = 1:n_names] {
	y_name = y_rug - (name_level[m] - 0.5) * name_height - px_small * 0.2
	set arrow from screen sx(name_x[m]), sy(y1) to screen sx(name_x[m]), sy(y_name - px_small * 0.5) nohead lc rgb (name_kind[m] == 2 ? c_limit : c_axis) \
		lw (name_kind[m] == 2 ? 1.4 : 1)
	if (name_left[m]) {
		set label name_text[m] at screen sx(name_x[m] - px_small * 0.35), sy(y_name) right font font(px_small) tc rgb (name_kind[m] == 2 ? c_limit : c_soft)
	} else {
		set label name_text[m] at screen sx(name_x[m] + px_small * 0.35), sy(y_name) left font font(px_small) tc rgb (name_kind[m] == 2 ? c_limit : c_soft)
	}
}
set label panel_gc[p] at screen sx(x_right + 10), sy(y_rug + rug_height * 0.3) left font font(px_small) tc rgb c_soft
set label sprintf("%d exact split%s", panel_n_exact[p], panel_n_exact[p] == 1 ? "" : "s") at screen sx(x_right + 10), sy(y_rug + rug_height * 1.3) left \
	font font(px_small) tc rgb c_soft
plot [0:1] [0:1] -1 notitle
unset label
unset arrow
unset object
set lmargin at screen sx(x_left)
set rmargin at screen sx(x_right)
set tmargin at screen sy(y_rug)
set bmargin at screen sy(y_rug + rug_height - 7)
if (panel_n_gc[p] > 0) {
	plot [0:x_max] [0:1] data.panel_file[p] index 3 using ($1 / t_unit_s):(1) with impulses lc rgb c_text lw 0.8 notitle
}
set tmargin at screen sy(y_rug + rug_height)
set bmargin at screen sy(y_rug + 2 * rug_height - 7)
if (panel_n_exact[p] > 0) {
	plot [0:x_max] [0:1] data.panel_file[p] index 2 using ($1 / t_unit_s):(1) with impulses lc rgb "#0b4f8a" lw 1.2 notitle
}

# --- the areas
set tmargin at screen sy(y1)
set bmargin at screen sy(y2)
ny = int(y_top / y_step + 1e-9)
do for [k = 0:ny] {
	set arrow from 0, k * y_step to x_max, k * y_step nohead back lc rgb (k ? c_grid : c_axis) lw 1
	set label sprintf(k == ny ? "%g ".fig_y_unit_name[fig] : "%g", k * y_step) at screen sx(x_left - 10), sy(y_of(k * y_step * y_unit_bytes)) \
		right font font(px_tick) tc rgb c_soft
}
do for [k = 0:k_last] {
	set label tick(k) at screen sx(x_of(k * t_step * t_unit_s)), sy(y2 + px_tick * 1.2) center font font(px_tick) tc rgb c_soft
	set arrow from screen sx(x_of(k * t_step * t_unit_s)), sy(y2) to screen sx(x_of(k * t_step * t_unit_s)), sy(y2 + 6) nohead lc rgb c_axis lw 1
}
do for [m = 1:n_marks] {
	at = mark_t_s[mark_0 + m] / t_unit_s
	if (mark_kind[mark_0 + m] == 2) {
		set arrow from at, 0 to at, y_top nohead front lc rgb c_limit lw 1.4
	} else {
		if (mark_kind[mark_0 + m] == 1) {
			set arrow from at, 0 to at, y_top nohead front lc rgb c_soft lw 1.1 dt (4, 4)
		} else {
			set arrow from at, 0 to at, y_top nohead front lc rgb c_soft lw 0.9 dt (1, 5)
		}
	}
}
load here."inside-plot.gp"
eval("plot [0:x_max] [0:y_top] ".drawn)
unset multiplot
set output
unset label
unset arrow
unset object
