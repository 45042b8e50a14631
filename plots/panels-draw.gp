# SPDX-License-Identifier: Apache-2.0
#
# panels-draw.gp - draws the grid that panels.gp laid out, into the terminal that is set; loaded once per picture.

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

# --- head and foot
load here."texts.gp"
do for [i = 1:n_items] {
	y_item = y_key + item_row[i] * px_sub * 1.5
	x_item = item_x[i]
	item_colour = item_setting[i] > 0 ? hue_of(setting_hue[item_setting[i]]) : c_soft
	if (i == item_band) {
		set object rectangle from screen sx(x_item), sy(y_item + px_sub * 0.42) to screen sx(x_item + sample_width), \
			sy(y_item - px_sub * 0.42) \
			fs solid 0.25 noborder fc rgb c_soft
	}
	if (item_setting[i] < 0) {
		item_colour = over_colour[-item_setting[i]]
		eval(sprintf("set arrow from screen sx(x_item), sy(y_item) to screen sx(x_item + sample_width), sy(y_item) nohead lc rgb item_colour lw 2.4 dt %s", \
			over_dash(-item_setting[i])))
	}
	if (i == item_lazy) {
		set object rectangle from screen sx(x_item), sy(y_item + px_sub * 0.5) to screen sx(x_item + sample_width), sy(y_item) \
			fs solid 0.1 noborder fc rgb c_soft
		set arrow from screen sx(x_item), sy(y_item) to screen sx(x_item + sample_width), sy(y_item) nohead \
			lc rgb c_soft lw lw_median * 0.8 dt (9, 8)
	} else {
		if (item_setting[i] >= 0) {
			set arrow from screen sx(x_item), sy(y_item) to screen sx(x_item + sample_width), sy(y_item) nohead \
				lc rgb item_colour lw lw_median * 1.6
		}
	}
	set label item_text[i] at screen sx(x_item + sample_width + 0.5 * px_sub), sy(y_item) left font font(px_sub) \
		tc rgb (item_setting[i] > 0 ? ink_of(setting_hue[item_setting[i]]) : item_setting[i] < 0 ? item_colour : c_soft)
}
plot [0:1] [0:1] -1 notitle
unset label
unset arrow
unset object

# --- panels
set xrange [x_min:x_max]
set yrange [0:y_top]
do for [p = 1:n_panels] {
	column = (p - 1) % columns
	row = (p - 1) / columns
	x0 = x_left + column * (panel_width + gap)
	x1 = x0 + panel_width
	y0 = y_row[row + 1]
	y1 = y0 + head_row[row + 1]
	y2 = y1 + plot_height
	set lmargin at screen sx(x0)
	set rmargin at screen sx(x1)
	set tmargin at screen sy(y1)
	set bmargin at screen sy(y2)
	unset label
	unset arrow
	unset object
	unset xtics
	unset ytics

	# name, exact version, notes
	set label panel_name[p] at screen sx(x0), sy(y0 + px_name * 0.6) left \
		font bold(fit(panel_name[p], px_name, (panel_width - text_width(panel_detail[p], px_small) - px_small * 0.7) / 1.13)) tc rgb c_text
	set label panel_detail[p] at screen sx(x1), sy(y0 + px_name * 0.68) right font font(px_small) tc rgb c_soft
	line = 0
	n_curves = 0
	do for [s = 1:n_settings] { n_curves = n_curves + (curve_file[(p - 1) * n_settings + s] ne "") }
	do for [s = 1:n_settings] {
		i = (p - 1) * n_settings + s
		if (curve_note[i] ne "") {
			first = 1
			do for [r = 1:s - 1] { if (curve_note[(p - 1) * n_settings + r] eq curve_note[i]) { first = 0 } }
			if (first) {
				y_note = y0 + name_height + (line + 0.5) * note_height
				x_note = x0
				sharing = 0
				do for [r = s:n_settings] {
					if (n_drawn > 1 && curve_note[(p - 1) * n_settings + r] eq curve_note[i]) {
						set arrow from screen sx(x_note), sy(y_note) to screen sx(x_note + px_note * 0.8), sy(y_note) nohead \
							lc rgb hue_of(setting_hue[r]) lw lw_median * 1.6
						x_note = x_note + px_note * 1.05
						sharing = sharing + 1
					}
				}
				# Names of curves that lie upon each other may need several lines
				note_lines = note_wrapped(i)
				do for [k = 1:lines(note_lines)] {
					note = line_of(note_lines, k)
					set label note at screen sx(x_note + (sharing ? px_note * 0.15 : 0)), sy(y_note + (k - 1) * note_height) left \
						font font(fit(note, px_note, x1 - x_note + gap * 0.4)) tc rgb (sharing > 1 ? c_text : ink_of(setting_hue[s]))
				}
				line = line + lines(note_lines)
			}
		}
	}

	# axes: numbers on the left and under the lowest panel of each column, the unit once
	ny = int(y_top / y_step + 1e-9)
	do for [k = 0:ny] {
		set arrow from x_min, k * y_step to x_max, k * y_step nohead back lc rgb (k ? c_grid : c_axis) lw 1
		if (column == 0) {
			set label sprintf("%g", k * y_step) at x_min, k * y_step right offset screen -8.0 / W, 0 font font(px_tick) tc rgb c_soft
		}
	}
	if (p == 1) {
		set label y_unit_name at x_min, ny * y_step right offset screen -8.0 / W, screen px_tick * 1.15 / H font font(px_tick) \
			tc rgb c_soft
	}
	if (p + columns > n_panels) {
		do for [k = k_first:k_last] {
			x_tick = x0 + (k * t_step - x_min) / (x_max - x_min) * panel_width
			if (x_tick + text_width(tick(k), px_tick) / 2 > x1) { x_tick = x1 - text_width(tick(k), px_tick) / 2 }
			if (x_tick - text_width(tick(k), px_tick) / 2 < x0) { x_tick = x0 + text_width(tick(k), px_tick) / 2 }
			set label tick(k) at screen sx(x_tick), sy(y2 + px_tick * 1.05) center font font(px_tick) tc rgb c_soft
			set arrow from k * t_step, 0 rto screen 0, screen -5.0 / H nohead lc rgb c_axis lw 1
		}
	}

	# marks: a hairline each; the limit: a thin line, named once
	do for [m = 1:n_marks] {
		t_mark = mark_t_s[(p - 1) * n_marks + m]
		if (t_mark == t_mark) {
			if (mark_act[m]) {
				set arrow from t_mark / t_unit_s, 0 to t_mark / t_unit_s, y_top nohead back lc rgb c_soft lw 1.1 dt (4, 4)
			} else {
				set arrow from t_mark / t_unit_s, 0 to t_mark / t_unit_s, y_top nohead back lc rgb c_mark lw 0.9 dt (1, 5)
			}
		}
	}
	if (p == 1) {
		do for [m = 1:n_names] {
			y_name = y2 + mark_top + (n_names - m + 0.5) * mark_height
			set arrow from screen sx(x0 + mark_at[m]), sy(y2) to screen sx(x0 + mark_at[m]), sy(y_name + px_small * 0.4) nohead \
				lc rgb c_axis lw 1
			set label mark_text[m] at screen sx(x0 + mark_at[m] + px_small * 0.3), sy(y_name) left font font(px_small) tc rgb c_soft
		}
	}
	if (p == lazy_panel) {
		set style textbox opaque fc rgb "white" noborder margins 0.6, 0.6 # other settings' curves may lie there
		set label "LazyFree" at lazy_x, lazy_y center front boxed font font(px_note) \
			tc rgb ink_of(setting_hue[(lazy_index - 1) % n_settings + 1])
	}
	if (panel_limit_bytes[p] > 0) {
		y_limit = panel_limit_bytes[p] / y_unit_bytes
		set arrow from x_min, y_limit to x_max, y_limit nohead back lc rgb c_limit_line lw 1.2
		set label panel_limit_name[p] at x_max, y_limit right offset screen 0, screen px_small * 0.68 / H font font(px_small) \
			tc rgb c_limit
	}
	if (panel_says[p] ne "") {
		set label panel_says[p] at (x_min + x_max) / 2, y_top / 2 center font font(px_name) tc rgb c_soft
	}

	# curves: the first setting last, so that it lies on top
	drawn = "-1 notitle"
	do for [s = n_settings:1:-1] {
		i = (p - 1) * n_settings + s
		if (curve_file[i] ne "") {
			file = sprintf("data.curve_file[%d]", i)
			if (curve_lazy[i]) {
				lazy = file." index 1 using ($1 / t_unit_s):($3 > 0.01 * y_max_bytes ? $3 / y_unit_bytes : NaN)"
				drawn = drawn.", ".lazy.sprintf(" with filledcurves y1=0 fs transparent solid 0.10 noborder lc rgb hue_of(setting_hue[%d]) notitle", s)
				drawn = drawn.", ".lazy.sprintf(" with lines lc rgb hue_of(setting_hue[%d]) lw lw_median * 0.8 dt (9, 8) notitle", s)
			}
			if (repeats > 1) {
				drawn = drawn.", ".file." index 0 using ($1 / t_unit_s):($2 / y_unit_bytes):($4 / y_unit_bytes)".\
					sprintf(" with filledcurves fs transparent solid 0.25 noborder lc rgb hue_of(setting_hue[%d]) notitle", s)
			}
			drawn = drawn.", ".file." index 0 using ($1 / t_unit_s):($3 / y_unit_bytes)".\
				sprintf(" with lines lc rgb hue_of(setting_hue[%d]) lw lw_median%s notitle", s, layer_dash(i))
			if (curve_cross[i]) {
				drawn = drawn.sprintf(", '+' using (cross_t_s[%d] / t_unit_s):(cross_bytes[%d] / y_unit_bytes) every 1000", i, i).\
					sprintf(" with points pt 2 ps 1.6 lw 2.4 lc rgb hue_of(setting_hue[%d]) notitle", s)
			}
		}
	}
	if (n_overlays > 0 && p == overlay_panel) { drawn = drawn.overlay_from(1) }
	eval("plot [x_min:x_max] [0:y_top] ".drawn)
}
unset multiplot
