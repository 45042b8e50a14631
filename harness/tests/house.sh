#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# house.sh - the rules of the house that a compiler does not know. Prints each breach; exit code 1 if there was one.
#
#   - A room includes headers of base/, of itself, and of rooms to its left; run may include record. Rooms right of record
#     work from a results folder alone: they include none of those that touch Go or a live process.
#   - Every committed file that can hold a comment says its licence in its first lines.
cd "$(dirname "$0")/../.." || exit 2
rooms="base plan build gostate run record analyse compare render cmd"
bad=0

breach() {
	echo "$1" >&2
	bad=1
}

# The rooms whose headers room $1 may include.
allowed_in() {
	for left in $rooms; do
		case $1:$left in
		analyse:build | analyse:gostate | analyse:run) ;;
		compare:build | compare:gostate | compare:run) ;;
		render:build | render:gostate | render:run) ;;
		*) echo "$left" ;;
		esac
		[ "$left" = "$1" ] && break
	done
	if [ "$1" = run ]; then echo record; fi
}

# What a file includes by a path with a folder in it: the folder, however the line is spelt.
included_by() {
	sed -n 's|^[[:blank:]]*#[[:blank:]]*include[[:blank:]]*["<]\([^">]*\)/[^">/]*[">].*|\1|p' "$1" | sort -u
}

for room in $rooms; do
	allowed=" $(allowed_in "$room" | tr '\n' ' ')"
	for file in harness/"$room"/*.[ch]; do
		[ -e "$file" ] || continue
		for other in $(included_by "$file"); do
			case "$other" in *..*) breach "$file includes by way of $other/: write \"room/header.h\"" ;; esac
			case " $rooms " in *" $other "*) ;; *) continue ;; esac
			case "$allowed" in *" $other "*) ;; *) breach "$file includes $other/, which $room/ may not" ;; esac
		done
	done
done

# Without the list nothing would be looked at, and nothing found. (A clone of another user's is read all the same.)
files=$(git -c safe.directory="$PWD" -c core.quotePath=false ls-files --cached --others --exclude-standard) && [ -n "$files" ] || {
	echo "house.sh: git does not list the files of $PWD: no licence line was checked" >&2
	exit 2
}
IFS='
'
for file in $files; do
	case $file in
	LICENSE | *.json | *.png | *.svg | *.zst | *.tsv | */fixtures/* | */golden/* | goprogs/go.mod | results/reference/*) continue ;;
	esac
	[ -s "$file" ] || continue
	head -5 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || breach "$file has no licence line"
done
exit $bad
