# SPDX-License-Identifier: Apache-2.0
#
# inside-plot.gp - the command that draws panel p's curves: areas and outline, or four lines, and what is laid over. Sets `drawn`.

file = sprintf("data.panel_file[%d]", p)
drawn = "-1 notitle"
if (areas) {
	do for [k = 1:n_slots] {
		area = file." index 1 using ($1 / t_unit_s):(".slot_low[slot_0 + k]." / y_unit_bytes):(".slot_high[slot_0 + k]." / y_unit_bytes)"
		drawn = drawn.", ".area.sprintf(" with filledcurves fs solid 1 noborder lc rgb colour(%d) notitle", k)
		if (hatched(int(slot_hue[slot_0 + k]))) {
			drawn = drawn.", ".area." with filledcurves fs transparent pattern 4 noborder lc rgb c_hatch lw 0.6 notitle"
		}
	}
	# A fine white line between areas
	do for [k = 1:n_slots - 1] {
		drawn = drawn.", ".file." index 1 using ($1 / t_unit_s):(".slot_low[slot_0 + k]." < ".slot_high[slot_0 + k]." ? ".slot_high[slot_0 + k]. \
			" / y_unit_bytes : NaN) with lines lc rgb 'white' lw 0.7 notitle"
	}
	drawn = drawn.", ".file." index 0 using ($1 / t_unit_s):($2 / y_unit_bytes) with lines lc rgb c_rss lw lw_rss notitle"
} else {
	do for [j = 1:n_slots] {
		k = line_order[j]
		drawn = drawn.", ".file.sprintf(" index %d using ($1 / t_unit_s):($2 / y_unit_bytes) with lines lc rgb colour(%d) lw line_width[%d] notitle", k - 1, k, k)
	}
}
if (has_overlay && p == overlay_panel) {
	do for [i = 1:n_overlays] {
		drawn = drawn.sprintf(", data.'overlay-%02d.tsv' using ($1 / t_unit_s):($2 / y_unit_bytes) with lines lc rgb 'white' lw 4.5 notitle", i)
		drawn = drawn.sprintf(", data.'overlay-%02d.tsv' using ($1 / t_unit_s):($2 / y_unit_bytes) with lines lc rgb over_colour[%d] lw 2.2 dt %s notitle", \
			i, i, over_dash(i))
	}
}
if (panel_cross[p]) {
	drawn = drawn.sprintf(", '+' using (panel_end_t_s[%d] / t_unit_s):(panel_end_rss[%d] / y_unit_bytes) every 1000", p, p). \
		" with points pt 2 ps 1.8 lw 2.6 lc rgb c_limit notitle"
}
