# SPDX-License-Identifier: Apache-2.0
#
# style.gp - what all pictures look like: type, colours, text that wraps, pixels as places. Loaded by common.gp and corpus.gp.

# --- type: sizes are in pixels of the picture; pngcairo takes points, svg pixels
face = "DejaVu Sans"
k_font = 0.75
font(px) = sprintf("%s,%.2f", face, px * k_font)
bold(px) = sprintf("%s:Bold,%.2f", face, px * k_font)
# The width of text in DejaVu Sans, from classes of letters (gnuplot cannot be asked)
letter_width(c) = strstrt("ijlI '|", c) ? 0.30 : strstrt(".,:;()[]-/ftr", c) ? 0.39 : strstrt("mMW%@", c) ? 0.95 : \
	strstrt("=+<>~w", c) ? 0.84 : strstrt("ABCDEFGHJKLNOPQRSTUVXYZ", c) ? 0.72 : 0.62
text_ems(s) = s eq "" ? 0 : letter_width(s[1:1]) + text_ems(s[2:*])
text_width(s, px) = text_ems(s) * px

# The largest type, up to px, in which s is at most w wide
fit(s, px, w) = s eq "" || text_width(s, px) <= w ? px : px * w / text_width(s, px)

# --- colours: told apart by the colour-blind, and in grey by their lightness; text is darker than lines
array hue[8] = ["#0b4f8a", "#e8720c", "#009e73", "#cc79a7", "#56b4e9", "#8a6d00", "#7f3fbf", "#333333"]
array ink[8] = ["#0b4f8a", "#b55200", "#00734f", "#a8487f", "#1f76a8", "#6e5700", "#6a2fa6", "#333333"]
hue_of(i) = hue[(i - 1) % 8 + 1]
ink_of(i) = ink[(i - 1) % 8 + 1]
c_text = "#1f2328"
c_soft = "#57606a"
c_axis = "#b8bec5"
c_mark = "#a6adb5"
c_grid = "#e6e8eb"
c_limit = "#b3261e"
c_limit_line = "#d99a94"

# --- what is laid over from elsewhere
array over_colour[6] = ["#d6006c", "#7a0fb5", "#006f9c", "#7a5c00", "#b3261e", "#3d7a00"]
over_dash(i) = i % 3 == 1 ? "(16, 8)" : i % 3 == 2 ? "(5, 7)" : "(20, 6, 5, 6)"

# --- text
# The words of s from the i-th on, broken into lines of at most n characters; line: the one being filled, done: those before
wrap_on(s, i, n, line, done) = i > words(s) ? done.line : \
	line eq "" ? wrap_on(s, i + 1, n, word(s, i), done) : \
	strlen(line) + 1 + strlen(word(s, i)) <= n ? wrap_on(s, i + 1, n, line." ".word(s, i), done) : \
	wrap_on(s, i + 1, n, word(s, i), done.line."\n")
wrap(s, n) = wrap_on(s, 1, n, "", "")
# As many lines as wrap() needs, but of about the same length
even(s, n, m) = lines(wrap(s, m)) <= lines(wrap(s, n)) || m >= n ? wrap(s, m) : even(s, n, m + 4)
wrap_even(s, n) = even(s, n, int(strlen(s) / lines(wrap(s, n))) + 1)
lines_from(s) = strstrt(s, "\n") ? 1 + lines_from(s[strstrt(s, "\n") + 1 : *]) : 1
lines(s) = s eq "" ? 0 : lines_from(s)

# The n-th line of s
line_of(s, n) = n > 1 ? line_of(s[strstrt(s, "\n") + 1 : *], n - 1) : strstrt(s, "\n") ? s[1 : strstrt(s, "\n") - 1] : s

# For the shell: in single quotes
quoted_rest(s) = strstrt(s, "'") ? s[1 : strstrt(s, "'") - 1]."'\\''".quoted_rest(s[strstrt(s, "'") + 1 : *]) : s
quoted(s) = "'".quoted_rest(s)."'"

# --- places: pixels from the upper left corner to gnuplot's screen coordinates
sx(x) = (x) / real(W)
sy(y) = 1 - (y) / real(H)
