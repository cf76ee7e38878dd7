# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# The part `readers` of a cell, judged: what our own recording says, trace.dat (v6, v7 compressed
# and not) and text of the same run must say too, up to what ftrace cannot know.

# judge_readers CELL DIR
judge_readers() {
	local cell=$1 d=$2 name
	for name in v6.dat v7.dat v7-none.dat trace.txt; do
		tell_the_same "$cell: $name and our recording" --least 1000 "$d/ours.data" "$d/$name"
		"$kt" report --json "$d/$name" >"$d/json"
		is "$(number "$d/json" unattributed_timer)" 0 "$cell: $name: every timer event is attributed"
		is "$(grep -c '"irqchip"' "$d/json")" 2 "$cell: $name: two VMs"
		is "$(number "$d/json" lost)" 0 "$cell: $name: nothing lost"
		"$kt" doctor "$d/$name" >"$d/doctor"
		is $? 0 "$cell: $name: doctor is content" "$(cat "$d/doctor")"
	done
	for name in v6.dat v7.dat v7-none.dat trace.txt; do
		"$kt" check "$d/$name" >"$d/check" 2>&1
		is $? 0 "$cell: $name: check finds it conforming" "$(cat "$d/check")"
	done
	tell_the_same "$cell: v6 and v7" "$d/v6.dat" "$d/v7.dat"
	tell_the_same "$cell: v7 and v7 uncompressed" "$d/v7.dat" "$d/v7-none.dat"
	"$kt" report "$d/v7.dat" >"$d/a"
	"$kt" report - <"$d/v7.dat" >"$d/b"
	is "$(cat "$d/a")" "$(cat "$d/b")" "$cell: v7 from standard input"
	# shellcheck disable=SC2002 # a file on standard input is no pipe
	cat "$d/v7.dat" | "$kt" report - >"$d/b"
	is "$(cat "$d/b")" "$(cat "$d/a")" "$cell: v7 through a pipe"
	is "$(head -c 10 <("$kt" dump "$d/report.txt"))" "# kvmtimer" "$cell: trace-cmd report's text is read"
	like "$("$kt" report "$d/v7.dat")" '^vtimer +host-to-line' "$cell: hops come out of trace.dat"
}
