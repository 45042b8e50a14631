# SPDX-License-Identifier: Apache-2.0
#
# corpus.gp - all scenarios on all Go releases in one picture: the colour says what became of the memory, the number how much is
# left.
#
#     gnuplot -c plots/corpus.gp results/CORPUS/plots [OUT]        draws corpus.png and corpus.svg
#
# The data come from `memtide corpus show results/CORPUS`: corpus.gp (texts, counts), rows.tsv, cells.tsv. A row's place follows
# from its number and from how many scenarios and stories begin before it. Colours and type: style.gp.

here = ARG0
while (strlen(here) && here[strlen(here):*] ne "/") { here = here[1:strlen(here) - 1] }
dir = ARG1
out = ARGC >= 2 ? ARG2 : ARG1
set encoding utf8
set datafile separator "\t"
data = dir."/data/"
load data."corpus.gp"
load here."style.gp"

# From good to bad, told apart by the colour-blind by hue and lightness; then the colour of the number on it
array fill[8] = [0x8fc3e6, 0xdcebf5, 0xbfa8dd, 0xffe08a, 0xf39c4a, 0xbf3b2b, 0x2f3338, 0xf4f5f6]
array text_on[8] = [0x14324a, 0x3d5a70, 0x2d1a4d, 0x4d3b00, 0x4a2400, 0xffffff, 0xffffff, 0xa6adb5]
c_failed = "#b3001b"

px_title = 27
px_sub = 17
px_story = 19
px_name = 16.5
px_value = 15
px_slim = 11.5
px_small = 14
row_height = 27
scenario_gap = 9
story_gap = 66
margin = 36

# --- columns
x_setting = margin + text_width(longest_name, px_name) * 1.08 + 18
setting_width = text_width(longest_setting, px_name)
if (setting_width > 340) { setting_width = 340 }
x_cells = x_setting + setting_width + 18
cell_width = n_columns > 12 ? 56 : n_columns > 6 ? 72 : 90
W = int(x_cells + n_columns * cell_width + margin)
if (W < 1000) { W = 1000 }

# --- rows
title_lines = wrap_even(title, int((W - 2 * margin) / (px_title * 0.61)))
sub_lines = wrap_even(subtitle, int((W - 2 * margin) / (px_sub * 0.575)))
source_lines = wrap_even(source, int((W - 2 * margin) / (px_small * 0.575)))
head_left = margin
y_title = 26 + px_title * 0.5
y_sub = 26 + lines(title_lines) * px_title * 1.25 + px_sub * 0.75
y_key = y_sub + lines(sub_lines) * px_sub * 1.4 + px_sub * 0.5

# The key: a swatch and its name, one after the other; the last item is the mark of a failed expectation
n_items = n_fates + (n_failed > 0)
array item_text[n_fates + 1]
array item_x[n_fates + 1]
array item_row[n_fates + 1]
swatch = px_sub * 1.5
at_x = margin
at_row = 0
do for [i = 1:n_items] {
	item_text[i] = i <= n_fates ? fate_name[i] : "an expectation failed"
	item_width = swatch + 0.5 * px_sub + text_width(item_text[i], px_sub)
	if (at_x > margin && at_x + item_width > W - margin) { at_x = margin; at_row = at_row + 1 }
	item_x[i] = at_x
	item_row[i] = at_row
	at_x = at_x + item_width + 1.3 * px_sub
}
y_rows = y_key + (at_row + 1) * px_sub * 1.6 - story_gap + 44

y_row(row, scenarios, stories) = y_rows + row * row_height + (scenarios - stories) * scenario_gap + stories * story_gap
y_end = y_row(n_rows, n_scenarios, n_stories)
y_source = y_end + px_small * 1.3
H = int(y_source + lines(source_lines) * px_small * 1.4 + px_small * 0.9)

x_cell(column, part, parts) = x_cells + (column + part / real(parts)) * cell_width

set terminal pngcairo size W, H noenhanced rounded background "white" font font(px_value) linewidth 1
set output out."/corpus.png"
load here."corpus-draw.gp"
set output

k_font = 1
set terminal svg size W, H noenhanced rounded background "white" font font(px_value) linewidth 1
set output out."/corpus.svg"
load here."corpus-draw.gp"
set output
call here."svg-fonts.gp" out."/corpus.svg"
