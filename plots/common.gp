# SPDX-License-Identifier: Apache-2.0
#
# common.gp - what all figures of a campaign share: folders, the campaign's variables, and the style (style.gp).
#
# Loaded by the other scripts, which are called as `gnuplot -c plots/NAME.gp DIR [OUT]`: DIR is a campaign's plots/ folder, where
# data/ lies (`memtide plot` writes it); the pictures go to OUT, or to DIR itself. data/figure.gp holds the variables, in bytes
# and seconds; everything about how it looks is here and in the scripts. They set dir and out first (load clears ARG1).

set encoding utf8
set datafile missing "-"
set datafile separator "\t"

data = dir."/data/"
load data."figure.gp"
# gnuplot divides whole numbers as whole numbers
t_min_s = real(t_min_s)
t_max_s = real(t_max_s)
t_unit_s = real(t_unit_s)
t_step = real(t_step)
y_max_bytes = real(y_max_bytes)
y_unit_bytes = real(y_unit_bytes)
x_min = t_min_s / t_unit_s
x_max = t_max_s / t_unit_s
# The first and the last number on the time axis, in steps
k_first = int(ceil(x_min / t_step - 1e-9))
k_last = int(floor(x_max / t_step + 1e-9))
y_top = y_max_bytes / y_unit_bytes

load here."style.gp"

# A number of the time axis: the k-th step, the first one after 0 with the unit
tick(k) = (k < 0 ? "−" : "").sprintf(k == 1 ? "%g ".t_unit_name : "%g", abs(k) * t_step)

# Of curves that lie upon each other each shows in turn: the lowest is whole, those above it have gaps for those below
layer_dash(i) = curve_layer[i] ? sprintf(" dt (%d, %d)", dash * (curve_layers[i] - curve_layer[i]), dash * curve_layer[i]) : ""
dash = 9

# What is laid over from elsewhere, over one run: white below, so that it is seen on any curve
overlay_line(i, look) = sprintf(", data.'overlay-%02d.tsv' using (($1 + overlay_shift_s) / t_unit_s):($2 / y_unit_bytes) with lines notitle lc rgb ", i).look
overlay_from(i) = i > n_overlays ? "" : overlay_line(i, "'white' lw 4.5").overlay_line(i, sprintf("over_colour[%d] lw 2.2 dt %s", i, over_dash(i))).overlay_from(i + 1)
