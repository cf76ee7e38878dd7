# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2317
# Real kernels, judged: every recording of a conforming KVM gets no violation, enough rules are put to
# the test in each cell, and of the same recordings broken on purpose check finds nearly all.
#
# tests/lab/exercised says how many rules each cell exercises; UPDATE=1 writes it anew (then: make docs).
# KT_KEEP=DIR keeps the recordings.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"

cells=${KT_CELLS:-'5.10:max:3 5.10:cortex-a72:2 6.1:max:2 6.1:cortex-a72:3 6.12:max:3 6.12:cortex-a72:2 7.x:max:3 7.x:cortex-a72:2'}
expected=$(dirname "$0")/exercised

check_cell() {
	local cell=$1 d=$tmp/$1 kernel cpu gic name status broken bad n want
	: >"$tmp/all.$cell"
	: >"$tmp/conforming.$cell"
	IFS=: read -r kernel cpu gic <<<"$cell"
	act "$cell" "$d" --kernel "$kernel" --cpu "$cpu" --gic "$gic" -- sh /lab/bin/parts.sh conform || return
	keep "$d"
	recorded_again "$cell" "$d"
	d=$d/conform
	: >"$tmp/exercised"
	for name in seed timers ptimer sleep smp user; do
		"$kt" check --json "$d/$name.data" >"$tmp/json" 2>"$tmp/err"
		status=$?
		broken=$(broken "$tmp/json")
		# A known defect shows only when the host leaves the vCPU loaded for long.
		bad=$(known_broken "$cell" "$name")
		case $broken in
		"" | "$bad") true ;;
		*) false ;;
		esac
		ok $? "$cell: $name: ${broken:-nothing} broken" "$(cat "$tmp/err")"
		is "$status" "$([ -n "$broken" ] && echo 2 || echo 0)" "$cell: $name: status $status" "$(cat "$tmp/err")"
		awk '/"id":/ { gsub(/[",]/, ""); sub(/.*:/, ""); id = $0 } /"exercised":[1-9]/ { print id }' "$tmp/json" >>"$tmp/exercised"
		[ -n "$bad" ] || echo "$d/$name.data" >>"$tmp/conforming.$cell"
	done
	sort -uV -o "$tmp/exercised" "$tmp/exercised"
	n=$(wc -l <"$tmp/exercised")
	# Some rules need a chance that not every run gives: three fewer are no alarm.
	echo "$cell $((n - 3)) $(xargs <"$tmp/exercised")" >"$tmp/all.$cell"
	want=$(awk -v c="$cell" '$1 == c { print $2 }' "$expected")
	[ "$n" -ge "${want:-999}" ] && [ "$n" -ge 20 ]
	ok $? "$cell: $n rules exercised, at least $want" "$(diff <(awk -v c="$cell" '$1 == c { $1 = $2 = ""; print }' "$expected" | xargs -n1) "$tmp/exercised")"
}

for cell in $cells; do
	check_cell "$cell"
	cat "$tmp/all.$cell" >>"$tmp/all"
	cat "$tmp/conforming.$cell" >>"$tmp/conforming"
done
[ -z "${UPDATE-}" ] || cp "$tmp/all" "$expected"

# The full count, 1,000 per kind and detail, is make check-quality: there it must be 95 % at detail
# lr.  Of 150 per kind that is less by chance now and then, by one percent hardly ever.
mapfile -t files <"$tmp/conforming"
for detail in lr:94 line:85; do
	"$build/mutate" -n 150 -d "${detail%:*}" "${files[@]}" >"$tmp/mutate"
	ok $? "mutations, detail ${detail%:*}: no violation in what was not broken, none from a marked loss" "$(cat "$tmp/mutate")"
	caught=$(sed -n 's/^caught .* = \([0-9]*\).*/\1/p' "$tmp/mutate")
	[ "${caught:-0}" -ge "${detail#*:}" ]
	ok $? "mutations, detail ${detail%:*}: $(tail -n 1 "$tmp/mutate")" "$(cat "$tmp/mutate")"
done

# The same recordings with parts missing: usage at the top of tests/lossy/lossy.c.
"$build/lossy" -n "$([ -n "${KT_SOAK-}" ] && echo 1000 || echo 50)" "${files[@]}" >"$tmp/lossy"
ok $? "cut, lossy, rotated: $(grep -c ' judged' "$tmp/lossy") times, none violated" "$(grep -v ' 0 failed' "$tmp/lossy")"
done_testing
