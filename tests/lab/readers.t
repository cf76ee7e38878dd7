# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2317
# Other people's captures of a real run: what our own recording says, trace.dat (v6, v7
# compressed and not) and text of the same run must say too, up to what ftrace cannot know.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"
peers=$("$top/scripts/lab" debs peers trace-cmd linux-perf bpftrace 2>/dev/null) || skip_all "trace-cmd for arm64 cannot be had"
printf '\027\010\104tracing' >"$tmp/probe.dat"
"$kt" report "$tmp/probe.dat" 2>&1 | grep -q 'built without' && skip_all "built without libtracecmd"

events=$("$kt" doctor "$top/tests/text/exclude-guest.txt" | sed -n 's/^ *\(-e [a-z_]*:[a-z0-9_]*\).*/\1/p' | tr '\n' ' ')

check_run() {
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

# Files that somebody made to harm: refused with a reason, quickly, whatever libtraceevent does.
hostile() {
	local d=$1 out status n=0 clean=0 crashed=0
	# A format that libtraceevent 1.7 to 1.9 crash on: a field that is not there, in __print_symbolic.
	LC_ALL=C perl -0pe 's/__print_symbolic\(REC->ret/__print_symbolic(REC->nix/' "$d/v6.dat" >"$tmp/symbolic.dat"
	cmp -s "$d/v6.dat" "$tmp/symbolic.dat"
	is $? 1 "hostile: the format was changed"
	out=$(timeout 60 "$kt" report "$tmp/symbolic.dat" 2>&1)
	status=$?
	{ [ $status -eq 1 ] && grep -q 'cannot be read' <<<"$out"; } || [ $status -eq 0 ]
	ok $? "hostile: a format that crashes libtraceevent is refused" "status $status: $out"
	for seed in $(seq 40); do
		LC_ALL=C perl -e '
			local $/; srand $ARGV[1]; open F, "<", $ARGV[0]; binmode F; my $b = <F>;
			my $most = (64, 4096, 200000, length $b)[rand 4];
			my $changes = (1, 8, 64)[rand 3];
			substr($b, rand $most, 1) = chr(rand 256) for 1 .. $changes;
			$b = substr($b, 0, rand length $b) if rand() < .2;
			binmode STDOUT; print $b' "$d/v6.dat" "$seed" >"$tmp/mutant.dat"
		out=$(timeout 60 "$kt" report "$tmp/mutant.dat" 2>&1)
		status=$?
		n=$((n + 1))
		case $status in
		0) clean=$((clean + 1)) ;;
		1) grep -qE 'cannot be read|unknown format' <<<"$out" && clean=$((clean + 1)) ;;
		esac
		[ "${out#*crashed (}" = "$out" ] || crashed=$((crashed + 1))
	done
	is $clean $n "hostile: $n mutants of a trace.dat are read or refused ($crashed crashed the child)"
	head -c 300000 "$d/v7.dat" >"$tmp/cut.dat"
	out=$("$kt" report "$tmp/cut.dat" 2>&1)
	is $? 1 "hostile: a cut trace.dat is refused"
	like "$out" 'cannot be read' "hostile: and it is said"
}

check_cell() {
	local cell=$1 d=$tmp/$1 kernel cpu gic
	IFS=: read -r kernel cpu gic <<<"$cell"
	act "$cell" "$d" --kernel "$kernel" --cpu "$cpu" --gic "$gic" --rootfs "$peers" --env "EVENTS=$events" \
		--add "$top/tests/lab/readers.sh" -- sh /lab/bin/parts.sh readers || return
	keep "$d"
	recorded_again "$cell" "$d"
	check_run "$cell" "$d/readers"
}

cells=${KT_CELLS:-'6.1:max:3 6.12:max:3 6.12:cortex-a72:2 7.x:max:3'}
for cell in $cells; do
	check_cell "$cell"
done
hostile "$tmp/${cells%% *}/readers"
done_testing
