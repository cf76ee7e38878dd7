# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# The part `conform` of a cell, judged: every recording of a conforming KVM gets no violation, and
# enough rules are put to the test.
#
# tests/lab/exercised says how many rules each cell exercises; UPDATE=1 writes it anew (then: make docs).
expected=$top/tests/lab/exercised

# exercised_at_least CELL RULES: some rules need a chance that not every run gives, so three fewer are no alarm
exercised_at_least() {
	local cell=$1 n want
	n=$(wc -l <"$2")
	if [ -n "${UPDATE-}" ]; then
		{ grep -v "^$cell " "$expected"; echo "$cell $((n - 3)) $(xargs <"$2")"; } | sort -s -V -k 1,1 >"$tmp/expected"
		cp "$tmp/expected" "$expected"
	fi
	# Of a cell that only a soak has: as many as its kernel and CPU give with the other GIC.
	want=$(awk -v c="$cell" '$1 == c { n = $2; exit } index($1, substr(c, 1, length(c) - 1)) == 1 { n = $2 } END { print n }' "$expected")
	[ "$n" -ge "${want:-999}" ] && [ "$n" -ge 20 ]
	ok $? "$cell: $n rules exercised, at least $want" "$(diff <(awk -v c="$cell" '$1 == c { $1 = $2 = ""; print }' "$expected" | xargs -n1) "$2")"
}

# judge_conform CELL DIR: and which recordings are conforming ones stands in DIR/conforming
judge_conform() {
	local cell=$1 d=$2 name status broken bad lost
	: >"$tmp/exercised"
	: >"$d/conforming"
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
		# Each of five takes lost an event that the kernel skipped: nothing is proven, and nothing broken.
		lost=$("$kt" report --json "$d/$name.data" >"$tmp/report"; number "$tmp/report" lost)
		is "$status" "$([ -n "$broken" ] && echo 2 || { [ "${lost:-0}" -gt 0 ] && echo 3 || echo 0; })" \
			"$cell: $name: status $status, $lost lost" "$(cat "$tmp/err")"
		awk '/"id":/ { gsub(/[",]/, ""); sub(/.*:/, ""); id = $0 } /"exercised":[1-9]/ { print id }' "$tmp/json" >>"$tmp/exercised"
		[ -n "$bad" ] || [ "$status" -ne 0 ] || echo "$name.data" >>"$d/conforming"
	done
	sort -uV -o "$tmp/exercised" "$tmp/exercised"
	exercised_at_least "$cell" "$tmp/exercised"
}
