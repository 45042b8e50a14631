# SPDX-License-Identifier: Apache-2.0
#
# inside-grid.gp - several runs beside each other, the same axes everywhere. Loaded by inside-figures.gp.

columns = shown <= 3 ? shown : shown == 4 ? 4 : shown <= 6 ? 3 : shown <= 8 ? 4 : shown == 9 ? 3 : shown == 10 ? 5 : 4
rows = (shown + columns - 1) / columns
x_left = 84
x_right = 36
gap = 30
head_left = x_left - 52
px_title = 27
px_sub = 17.5
px_name = 20
px_note = 15.5
px_tick = 15.5
px_small = 14
lw_rss = 1.7
plot_height = rows == 1 ? 400 : rows == 2 ? 290 : 220
width = W - x_left - x_right
panel_width = (width - (columns - 1) * gap) / columns
title_lines = wrap_even(title, int((W - 2 * head_left) / (px_title * 0.61)))
sub_lines = wrap_even(subtitle, int((W - 2 * head_left) / (px_sub * 0.575)))
source_lines = wrap_even(source, int((W - 2 * head_left) / (px_small * 0.575)))
y_title = 26 + px_title * 0.5
y_sub = 26 + lines(title_lines) * px_title * 1.25 + px_sub * 0.75
y_key = y_sub + lines(sub_lines) * px_sub * 1.4 + px_sub * 0.5

# The key: the areas or lines, set one after the other, the outline last
n_items = n_slots + (areas ? 2 : 0) + (has_overlay ? n_overlays : 0)
array item_text[n_items + 1]
array item_x[n_items + 1]
array item_row[n_items + 1]
swatch = 1.6 * px_sub
at_x = head_left
at_row = 0
do for [i = 1:n_items] {
	item_text[i] = i <= n_slots ? slot_name[slot_0 + i] : areas && i == n_slots + 1 ? "RSS, as the kernel counts" : \
		areas && i == n_slots + 2 ? "ticks: below, exact; above, garbage collections" : overlay_name[i - n_slots - (areas ? 2 : 0)]
	item_x[i] = at_x
	item_row[i] = at_row
	if (item_text[i] eq "") { continue }
	item_width = swatch + 0.5 * px_sub + text_width(item_text[i], px_sub)
	if (at_x > head_left && at_x + item_width > W - head_left) { at_x = head_left; at_row = at_row + 1 }
	item_x[i] = at_x
	item_row[i] = at_row
	at_x = at_x + item_width + 1.3 * px_sub
}
y_rows = y_key + (at_row + 1) * px_sub * 1.5 + px_sub * 0.5

# The names of the first panel's marks stand below it: those nearer to each other than a letter share a line, the leftmost lowest
n_marks = int(panel_n_marks[first_panel])
mark_0 = int(panel_mark[first_panel])
array mark_at[n_marks + 1]
array mark_name[n_marks + 1]
n_names = 0
do for [m = 1:n_marks] {
	at_x = mark_t_s[mark_0 + m] / t_max_s * panel_width
	if (n_names > 0 && at_x - mark_at[n_names] < px_small * 0.7) {
		mark_name[n_names] = mark_name[n_names].", ".mark_text[mark_0 + m]
	} else {
		n_names = n_names + 1
		mark_at[n_names] = at_x
		mark_name[n_names] = mark_text[mark_0 + m]
	}
}
if (n_names > 4) { n_names = 0 }
name_height = px_name * 1.4
note_height = px_note * 1.3
mark_height = px_small * 1.2
mark_top = px_tick * (rows == 1 ? 1.9 : 0.4)
array y_row[rows]
note_lines = 1
do for [p = first_panel:first_panel + shown - 1] { if (panel_setting[p] ne "") { note_lines = 2 } }
head_row = name_height + note_lines * note_height + px_note * 0.5
y_next = y_rows
do for [r = 1:rows] {
	y_row[r] = y_next
	numbered = r == rows || (r == rows - 1 && shown % columns)
	row_gap = px_tick * (numbered ? 2.6 : 1.3)
	low_marks = r == 1 ? mark_top + n_names * mark_height + px_tick * 0.8 : 0
	y_next = y_next + head_row + plot_height + (low_marks > row_gap ? low_marks : row_gap)
}
y_source = y_next + px_tick * 0.3
H = int(y_source + lines(source_lines) * px_small * 1.4 + px_small * 0.9)

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
set lmargin at screen 0
set rmargin at screen 1
set bmargin at screen 0
set tmargin at screen 1

# --- head, foot, key
load here."texts.gp"
do for [i = 1:n_items] {
	if (item_text[i] eq "") { continue }
	y_item = y_key + item_row[i] * px_sub * 1.5
	x_item = item_x[i]
	item_ink = c_soft
	if (i <= n_slots) {
		item_ink = ink_at(i)
		if (areas) {
			set object rectangle from screen sx(x_item), sy(y_item + 8) to screen sx(x_item + swatch), sy(y_item - 8) \
				fs solid 1 border rgb (hatched(int(slot_hue[slot_0 + i])) ? c_hatch : colour(i)) fc rgb colour(i)
			if (hatched(int(slot_hue[slot_0 + i]))) {
				set object rectangle from screen sx(x_item), sy(y_item + 8) to screen sx(x_item + swatch), sy(y_item - 8) \
					fs transparent pattern 4 border rgb c_hatch fc rgb c_hatch
			}
		} else {
			set arrow from screen sx(x_item), sy(y_item) to screen sx(x_item + swatch), sy(y_item) nohead lc rgb colour(i) lw line_width[i] * 1.2
		}
	} else {
		if (areas && i == n_slots + 1) {
			set arrow from screen sx(x_item), sy(y_item) to screen sx(x_item + swatch), sy(y_item) nohead lc rgb c_rss lw 2.6
		} else {
			if (areas && i == n_slots + 2) {
				do for [j = 0:3] {
					set arrow from screen sx(x_item + 2 + j * swatch / 4), sy(y_item + 4) rto screen 0, screen 8.0 / H nohead lc rgb c_soft lw 1
				}
			} else {
				j = i - n_slots - (areas ? 2 : 0)
				item_ink = over_colour[j]
				eval(sprintf("set arrow from screen sx(x_item), sy(y_item) to screen sx(x_item + swatch), sy(y_item) nohead lc rgb over_colour[%d] lw 2.4 dt %s", \
					j, over_dash(j)))
			}
		}
	}
	set label item_text[i] at screen sx(x_item + swatch + 0.5 * px_sub), sy(y_item) left font font(px_sub) tc rgb item_ink
}
plot [0:1] [0:1] -1 notitle

# --- panels
do for [p = first_panel:first_panel + shown - 1] {
	q = p - first_panel
	column = q % columns
	row = q / columns
	x0 = x_left + column * (panel_width + gap)
	x1 = x0 + panel_width
	y0 = y_row[row + 1]
	y1 = y0 + head_row
	y2 = y1 + plot_height
	set lmargin at screen sx(x0)
	set rmargin at screen sx(x1)
	set tmargin at screen sy(y1)
	set bmargin at screen sy(y2)
	unset label
	unset arrow
	unset object

	set label panel_name[p] at screen sx(x0), sy(y0 + px_name * 0.6) left \
		font bold(fit(panel_name[p], px_name, (panel_width - text_width(panel_detail[p], px_small) - 8) / 1.1)) tc rgb c_text
	set label panel_detail[p] at screen sx(x1), sy(y0 + px_name * 0.68) right font font(px_small) tc rgb c_soft
	set label panel_setting[p] at screen sx(x0), sy(y0 + name_height + 0.5 * note_height) left \
		font bold(fit(panel_setting[p], px_note, (panel_width + gap * 0.4) / 1.1)) tc rgb c_text
	set label panel_note[p] at screen sx(x0), sy(y0 + name_height + (note_lines - 0.5) * note_height) left \
		font font(fit(panel_note[p], px_note, panel_width + gap * 0.4)) tc rgb c_soft
	ny = int(y_top / y_step + 1e-9)
	do for [k = 0:ny] {
		set arrow from 0, k * y_step to x_max, k * y_step nohead back lc rgb (k ? c_grid : c_axis) lw 1
		if (column == 0) {
			set label sprintf("%g", k * y_step) at 0, k * y_step right offset screen -8.0 / W, 0 font font(px_tick) tc rgb c_soft
		}
	}
	if (q == 0) {
		set label fig_y_unit_name[fig] at 0, ny * y_step right offset screen -8.0 / W, screen px_tick * 1.15 / H font font(px_tick) tc rgb c_soft
	}
	if (q + 1 + columns > shown) {
		do for [k = 0:k_last] {
			x_tick = x0 + k * t_step / x_max * panel_width
			if (x_tick + text_width(tick(k), px_tick) / 2 > x1) { x_tick = x1 - text_width(tick(k), px_tick) / 2 }
			if (x_tick - text_width(tick(k), px_tick) / 2 < x0) { x_tick = x0 + text_width(tick(k), px_tick) / 2 }
			set label tick(k) at screen sx(x_tick), sy(y2 + px_tick * 1.05) center font font(px_tick) tc rgb c_soft
			set arrow from k * t_step, 0 rto screen 0, screen -5.0 / H nohead lc rgb c_axis lw 1
		}
	}
	do for [m = 1:int(panel_n_marks[p])] {
		at = mark_t_s[int(panel_mark[p]) + m] / t_unit_s
		if (mark_kind[int(panel_mark[p]) + m] == 2) {
			set arrow from at, 0 to at, y_top nohead front lc rgb c_limit lw 1.3
		} else {
			if (mark_kind[int(panel_mark[p]) + m] == 1) {
				set arrow from at, 0 to at, y_top nohead front lc rgb c_soft lw 1.1 dt (4, 4)
			} else {
				set arrow from at, 0 to at, y_top nohead front lc rgb c_soft lw 0.9 dt (1, 5)
			}
		}
	}
	if (q == 0) {
		do for [m = 1:n_names] {
			y_name = y2 + mark_top + (n_names - m + 0.5) * mark_height
			set arrow from screen sx(x0 + mark_at[m]), sy(y2) to screen sx(x0 + mark_at[m]), sy(y_name + px_small * 0.4) nohead lc rgb c_axis lw 1
			set label mark_name[m] at screen sx(x0 + mark_at[m] + px_small * 0.3), sy(y_name) left font font(px_small) tc rgb c_soft
		}
	}
	load here."inside-plot.gp"
	if (areas && panel_n_exact[p] > 0) {
		drawn = drawn.", data.panel_file[p] index 2 using ($1 / t_unit_s):(0):(0):(0.022 * y_top) with vectors nohead lc rgb 'white' lw 2.2 notitle"
		drawn = drawn.", data.panel_file[p] index 2 using ($1 / t_unit_s):(0):(0):(0.022 * y_top) with vectors nohead lc rgb c_text lw 0.9 notitle"
	}
	if (areas && panel_n_gc[p] > 0) {
		drawn = drawn.", data.panel_file[p] index 3 using ($1 / t_unit_s):(0.978 * y_top):(0):(0.022 * y_top) with vectors nohead lc rgb c_soft lw 0.8 notitle"
	}
	eval("plot [0:x_max] [0:y_top] ".drawn)
}
unset multiplot
set output
unset label
unset arrow
unset object
