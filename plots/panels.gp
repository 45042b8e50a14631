# SPDX-License-Identifier: Apache-2.0
#
# panels.gp - where everything in a grid of panels goes, in pixels; loaded by grid.gp and grid-phone.gp once their sizes are set,
# before panels-draw.gp draws it. Sets H.

# The head: title, subtitle, then the key, each wrapped to the width
width = W - x_left - x_right
head_left = shape eq "phone" ? 24 : x_left - 52
title_lines = wrap_even(title, int((W - 2 * head_left) / (px_title * 0.61)))
sub_lines = wrap_even(subtitle, int((W - 2 * head_left) / (px_sub * 0.575)))
y_title = 26 + px_title * 0.5
y_sub = 26 + lines(title_lines) * px_title * 1.25 + px_sub * 0.75
y_key = y_sub + lines(sub_lines) * px_sub * 1.4 + px_sub * 0.5

# The key: one item a setting (where there are several) and one for LazyFree (where it shows), set one after the other
any_lazy = 0
do for [i = 1:n_panels * n_settings] { any_lazy = any_lazy || curve_lazy[i] }
array drawn_somewhere[n_settings]
n_drawn = 0
do for [s = 1:n_settings] {
	drawn_somewhere[s] = 0
	do for [p = 1:n_panels] { if (curve_file[(p - 1) * n_settings + s] ne "") { drawn_somewhere[s] = 1 } }
	n_drawn = n_drawn + drawn_somewhere[s]
}
n_items = (n_drawn > 1 ? n_drawn : 0) + (repeats > 1) + any_lazy + n_overlays
array item_text[n_items + 1]
array item_setting[n_items + 1]
array item_x[n_items + 1]
array item_row[n_items + 1]
n_at = 0
if (n_drawn > 1) {
	do for [s = 1:n_settings] {
		if (drawn_somewhere[s]) {
			n_at = n_at + 1
			item_text[n_at] = setting_name[s]
			item_setting[n_at] = s
		}
	}
}
item_band = 0
item_lazy = 0
if (repeats > 1) {
	n_at = n_at + 1
	item_band = n_at
	item_text[n_at] = sprintf("median and range of %d runs", repeats)
	item_setting[n_at] = 0
}
if (any_lazy) {
	n_at = n_at + 1
	item_lazy = n_at
	item_text[n_at] = "LazyFree: in RSS, but the kernel takes it when it needs it"
	item_setting[n_at] = 0
}
# What is laid over from elsewhere: numbers below zero
do for [i = 1:n_overlays] {
	n_at = n_at + 1
	item_text[n_at] = overlay_name[i]
	item_setting[n_at] = -i
}
sample_width = 2.2 * px_sub
at_x = head_left
at_row = 0
do for [i = 1:n_items] {
	item_width = sample_width + 0.5 * px_sub + text_width(item_text[i], px_sub)
	if (at_x > head_left && at_x + item_width > W - head_left) { at_x = head_left; at_row = at_row + 1 }
	item_x[i] = at_x
	item_row[i] = at_row
	at_x = at_x + item_width + 1.4 * px_sub
}
key_rows = n_items ? at_row + 1 : 0
y_rows = y_key + key_rows * px_sub * 1.5 + px_sub * 0.5

# A panel's head: its name, then a line or more for each different note; the panels of one row have the room that the fullest needs.
# Under the first panel, the names of the marks: those nearer to each other than a letter share a line, the leftmost lowest.
name_height = px_name * 1.4
note_height = px_note * 1.3
panel_width = (width - (columns - 1) * gap) / columns
# The colour samples before a note take room, too
note_wrapped(i) = curve_layers[i] < 2 ? curve_note[i] : \
	wrap(curve_note[i], int((panel_width - curve_layers[i] * px_note * 1.05 + gap * 0.4) / (px_note * 0.53)))
array y_row[rows]
array head_row[rows]
array mark_at[n_marks + 1]
array mark_text[n_marks + 1]
n_names = 0
act_among = 0
do for [m = 1:n_marks] { act_among = act_among || mark_act[m] }
do for [m = 1:n_marks] {
	at_x = mark_t_s[m] == mark_t_s[m] ? (mark_t_s[m] - t_min_s) / (t_max_s - t_min_s) * panel_width : -1
	if (at_x < 0) { continue }
	if (n_names > 0 && at_x - mark_at[n_names] < px_small * 0.7) {
		mark_text[n_names] = mark_text[n_names].", ".mark_name[m]
	} else {
		n_names = n_names + 1
		mark_at[n_names] = at_x
		mark_text[n_names] = mark_name[m]
	}
}
# Of too many only what was done to the program
if (n_names > 4 || (n_names > 3 && !act_among)) {
	n_names = 0
	do for [m = 1:n_marks] {
		if (mark_act[m] && mark_t_s[m] == mark_t_s[m]) {
			n_names = n_names + 1
			mark_at[n_names] = (mark_t_s[m] - t_min_s) / (t_max_s - t_min_s) * panel_width
			mark_text[n_names] = mark_name[m]
		}
	}
}
mark_height = px_small * 1.2
mark_top = px_tick * (rows == 1 ? 1.9 : 0.4)
y_next = y_rows
do for [r = 1:rows] {
	most = 0
	do for [p = (r - 1) * columns + 1:(r * columns < n_panels ? r * columns : n_panels)] {
		n_at = 0
		do for [s = 1:n_settings] {
			i = (p - 1) * n_settings + s
			first = curve_note[i] ne ""
			do for [q = 1:s - 1] { if (curve_note[(p - 1) * n_settings + q] eq curve_note[i]) { first = 0 } }
			n_at = n_at + first * lines(note_wrapped(i))
		}
		if (n_at > most) { most = n_at }
	}
	y_row[r] = y_next
	head_row[r] = name_height + most * note_height + px_note * 0.5
	numbered = r == rows || (r == rows - 1 && n_panels % columns)
	row_gap = px_tick * (numbered ? 2.6 : 1.3)
	low_marks = r == 1 ? mark_top + n_names * mark_height + px_tick * 0.8 : 0
	y_next = y_next + head_row[r] + plot_height + (low_marks > row_gap ? low_marks : row_gap)
}
y_source = y_next + px_tick * 0.3
source_lines = wrap_even(source, int((W - 2 * head_left) / (px_small * 0.575)))
H = int(y_source + lines(source_lines) * px_small * 1.4 + px_small * 0.9)

# LazyFree is named where its area is widest, if a name has room there
lazy_panel = 0
lazy_wide = 0.4
do for [i = 1:n_panels * n_settings] {
	if (curve_lazy[i]) {
		stats data.curve_file[i] index 1 using (column(3) > 0.3 * y_max_bytes ? ($1 < t_max_s ? $1 : t_max_s) : NaN) nooutput
		if (exists("STATS_records") && STATS_records > 1 && (STATS_max - STATS_min) / (t_max_s - t_min_s) > lazy_wide) {
			lazy_wide = (STATS_max - STATS_min) / (t_max_s - t_min_s)
			lazy_x = (STATS_max + STATS_min) / 2 / t_unit_s
			stats data.curve_file[i] index 1 using 3 nooutput
			lazy_y = STATS_max / 2 / y_unit_bytes
			lazy_panel = (i - 1) / n_settings + 1
			lazy_index = i
		}
	}
}
