#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# house.sh - the rules of the house that a compiler does not know. Prints each breach; exit code 1 if there was one.
#
#   - A room includes headers of base/, of itself, and of rooms to its left; run may include record.
#   - Every committed file that can hold a comment says its licence in its first lines.
cd "$(dirname "$0")/../.." || exit 2
rooms="base plan build gostate run record analyse compare render cmd"
bad=0

for room in $rooms; do
	allowed=
	for left in $rooms; do
		allowed="$allowed $left"
		[ "$left" = "$room" ] && break
	done
	[ "$room" = run ] && allowed="$allowed record"
	for file in harness/"$room"/*.[ch]; do
		[ -e "$file" ] || continue
		for other in $(sed -n 's|^#include "\([a-z]*\)/.*|\1|p' "$file" | sort -u); do
			case " $allowed " in
			*" $other "*) ;;
			*)
				echo "$file includes $other/, which is not to the left of $room/" >&2
				bad=1
				;;
			esac
		done
	done
done

for file in $(git ls-files --cached --others --exclude-standard); do
	case $file in
	LICENSE | *.json | *.png | *.svg | *.zst | *.tsv | */fixtures/* | */golden/* | goprogs/go.mod | results/reference/*) continue ;;
	esac
	[ -s "$file" ] || continue
	head -5 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || {
		echo "$file has no licence line" >&2
		bad=1
	}
done
exit $bad
