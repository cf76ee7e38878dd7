# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The recordings of conforming kernels that tests/lab/cell.t kept, broken on purpose: check finds nearly
# all, and nothing in what was not broken.  KT_KEEP is where they are.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

keep=${KT_KEEP:-$build/kept}
for list in "$keep"/*/conform/conforming; do
	[ -e "$list" ] || skip_all "no recordings in $keep: KT_KEEP=$keep bash tests/lab/cell.t"
	sed "s|^|$(dirname "$list")/|" "$list"
done >"$tmp/files"

# The full count, 1,000 per kind and detail, is make check-quality: there it must be 95 % at both
# details.  Of 150 per kind that is less by chance now and then, by one percent hardly ever.
mapfile -t files <"$tmp/files"
for detail in lr:94 line:94; do
	"$build/mutate" -n "${KT_MUTATIONS:-150}" ${KT_SEED:+-s "$KT_SEED"} -d "${detail%:*}" "${files[@]}" >"$tmp/mutate"
	ok $? "mutations, detail ${detail%:*}: no violation in what was not broken, none from a marked loss" "$(cat "$tmp/mutate")"
	caught=$(sed -n 's/^caught .* = \([0-9]*\).*/\1/p' "$tmp/mutate")
	[ "${caught:-0}" -ge "${detail#*:}" ]
	ok $? "mutations, detail ${detail%:*}, ${#files[@]} recordings: $(tail -n 1 "$tmp/mutate")" "$(cat "$tmp/mutate")"
done
done_testing
