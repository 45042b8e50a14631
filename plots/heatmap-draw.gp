# SPDX-License-Identifier: Apache-2.0
#
# heatmap-draw.gp - draws what heatmap.gp laid out, into the terminal that is set; loaded once per picture.

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

load here."texts.gp"

if (short_names) {
	set label "Go" at screen sx(x_left - 12), sy(y_names) right font bold(px_name) tc rgb c_text
}
do for [p = 1:n_panels] {
	name = panel_part[p] eq "" ? panel_name[p] : panel_name[p][1:strlen(panel_name[p]) - strlen(panel_part[p]) - 2]
	name = short_names ? name[4:*] : name
	set label name at screen sx(x_left + (p - 0.5) * cell_width), sy(y_names) center \
		font bold(fit(name, px_name, cell_width - 6)) tc rgb c_text
	set label panel_part[p] at screen sx(x_left + (p - 0.5) * cell_width), sy(y_names + px_name * 1.1) center \
		font font(fit(panel_part[p], px_small, cell_width - 6)) tc rgb c_text
}
do for [s = 1:n_settings] {
	y_cell = y1 + (s - 1) * cell_height
	name_lines = text_width(setting_name[s], px_name) <= x_left - head_left - 12 ? setting_name[s] : \
		wrap(setting_name[s], int((x_left - head_left) / (px_name * 0.62)))
	do for [i = 1:lines(name_lines)] {
		name = line_of(name_lines, i)
		set label name at screen sx(head_left), sy(y_cell + cell_height / 2 + (i - 0.5 - lines(name_lines) / 2.0) * px_name * 1.25) \
			left font font(fit(name, px_name, x_left - head_left - 12)) tc rgb c_text
	}
	do for [p = 1:n_panels] {
		i = (p - 1) * n_settings + s
		x_cell = x_left + (p - 1) * cell_width
		known = heat_kind[i] == 0
		share = !known || heat_share[i] < 0 ? 0 : heat_share[i] > 1 ? 1 : heat_share[i]
		set object rectangle from screen sx(x_cell + 1.5), sy(y_cell + cell_height - 1.5) \
			to screen sx(x_cell + cell_width - 1.5), sy(y_cell + 1.5) \
			fs solid 1 noborder fc rgb (known ? shade(share) : heat_kind[i] == 1 ? "#f6f7f8" : "#fbe9e0")
		if (heat_kind[i] == 1) {
			set object rectangle from screen sx(x_cell + 1.5), sy(y_cell + cell_height - 1.5) \
				to screen sx(x_cell + cell_width - 1.5), sy(y_cell + 1.5) \
				fs pattern 4 noborder fc rgb "#dcdfe3"
		}
		c_cell = heat_kind[i] == 1 ? c_soft : !known ? c_text : share > 0.62 ? "#ffffff" : c_text
		text = heat_text[i] eq "" ? "not run" : heat_text[i]
		px_cell = known ? px_value : px_small + 1
		text_lines = known || text_width(text, px_cell) < cell_width - 8 ? text : wrap(text, 2)
		do for [k = 1:lines(text_lines)] {
			word_k = line_of(text_lines, k)
			y_word = y_cell + cell_height / 2 - (heat_sub[i] ne "" ? px_cell * 0.55 : 0) + \
				(k - 0.5 - lines(text_lines) / 2.0) * px_cell * 1.2
			set label word_k at screen sx(x_cell + cell_width / 2), sy(y_word) center \
				font font(fit(word_k, px_cell, cell_width - 8)) tc rgb c_cell front
		}
		set label heat_sub[i] at screen sx(x_cell + cell_width / 2), sy(y_cell + cell_height / 2 + px_value * 0.75) center \
			font font(fit(heat_sub[i], px_small, cell_width - 8)) tc rgb c_cell front
	}
}
plot [0:1] [0:1] -1 notitle
