# SPDX-License-Identifier: Apache-2.0
#
# svg-fonts.gp FILE - gnuplot writes "DejaVu Sans:Bold" as the name of a font family, which no browser knows, and no family to
# fall back on where DejaVu is not installed. Verdana has the same widths.
system("sed -i -e 's/font-family=\"DejaVu Sans:Bold\"/font-family=\"DejaVu Sans, Verdana, sans-serif\" font-weight=\"bold\"/'". \
	" -e 's/font-family=\"DejaVu Sans\"/font-family=\"DejaVu Sans, Verdana, sans-serif\"/' ".quoted(ARG1))
