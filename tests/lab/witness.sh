# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# What the .t files of the lab share: running cell.sh in a host, and comparing a
# recording with what its witnesses counted.

lab() {
	"$top/scripts/lab" run --timeout 900 --mem 1500 --add "$build/arm64/kvmtimer-trace.stripped:/lab/bin/kvmtimer-trace" \
		--add "$build/lab/vmm" --add "$build/lab/guest.bin" --add "$top/tests/lab/cell.sh" "$@"
}

# keep DIR: with KT_KEEP, what a cell recorded stays there
keep() {
	[ -z "${KT_KEEP-}" ] || { mkdir -p "$KT_KEEP" && cp -r "$1" "$KT_KEEP/"; }
}

# twice FUNCTION ARGUMENTS...: the tests of one cell.  If one fails the cell is booted and tested
# once more, and that counts: a busy machine stops an emulated host at any point, for as long as
# it likes.  What failed at first is told, and how many cells that happened to.
taken_twice=0
# shellcheck disable=SC2030,SC2031 # each take counts for itself
twice() {
	local result line
	for result in "$tmp/first-take" "$tmp/second-take"; do
		if (
			failures=0
			"$@"
			[ $failures -eq 0 ]
		) >"$result"; then
			break
		fi
		[ "$result" = "$tmp/first-take" ] || break
		taken_twice=$((taken_twice + 1))
		grep '^not ok' "$result" | sed "s/^/# taken again ($taken_twice): /" >&2
	done
	while IFS= read -r line; do
		case $line in
		ok*) line="ok $((count += 1)) - ${line#* - }" ;;
		not\ ok*)
			failures=$((failures + 1))
			line="not ok $((count += 1)) - ${line#* - }"
			;;
		esac
		printf '%s\n' "$line"
	done <"$result"
}

# A number out of report --json: "key": N
number() {
	sed -n "s/^ *\"$2\":\([0-9]*\),\{0,1\}\$/\1/p" "$1" | head -n 1
}

# kind_count REPORT TABLE KIND: count in totals.by_kind or lost_by_kind
kind_count() {
	awk -v table="\"$2\"" -v kind="\"$3\":" '
		index($0, table) { on = 1 }
		on && index($0, kind) { sub(/.*:/, ""); sub(/,/, ""); print; found = 1; exit }
		on && /}/ { exit }
		END { if (!found) print 0 }' "$1"
}

# updates NAME DUMP BY-VCPU LOST: each vCPU's update_irq events against the kprobe's count
# by vCPU pointer.  The kernel skips a program that an interrupt finds running: such
# events are counted as lost, so the difference must be exactly that number, and no
# vCPU may have more than happened.
updates() {
	awk '/^ident/ { for (i = 3; i <= NF; i++) if ($i ~ /^vcpu=/) v[$2] = substr($i, 8) }
		$4 ~ /^update_irq/ { n[v[$3]]++ }
		END { for (p in n) print p, n[p] }' "$2" | sort >"$tmp/ours"
	sed -n 's/^{ vcpu: *\(0x\)\{0,1\}\([0-9a-f]*\) *} hitcount: *\([0-9]*\)/\2 \3/p' "$3" | sort >"$tmp/theirs"
	is "$(cut -d' ' -f1 "$tmp/ours")" "$(cut -d' ' -f1 "$tmp/theirs")" "$1: the vCPUs are the kprobe's, by pointer"
	is "$(join "$tmp/ours" "$tmp/theirs" | awk '{ if ($2 > $3) bad = 1; n += $3 - $2 } END { print bad ? "more than happened" : n + 0 }')" \
		"$4" "$1: updates per vCPU equal the kprobe's count but for $4 lost"
}

# tell_the_same NAME [OPTIONS...] A B: two recordings of one run.  What they may differ in stands in
# docs/inputs.md; a tolerance of order that was used is shown.
tell_the_same() {
	local name=$1 status
	shift
	"$build/same" "$@" >"$tmp/same" 2>&1
	status=$?
	ok $status "$name tell $(grep -E '^(the same|different): ' "$tmp/same")" "$(cat "$tmp/same")"
	sed -n '/ on the other side of \| these orders /s/^ */# /p' "$tmp/same"
}
