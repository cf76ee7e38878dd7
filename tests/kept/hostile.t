# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A trace.dat that tests/lab/cell.t kept, made into files that harm.  KT_KEEP is where it is.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

keep=${KT_KEEP:-$build/kept}
for d in "$keep"/*/readers; do
	[ ! -s "$d/v6.dat" ] || break
done
[ -s "$d/v6.dat" ] || skip_all "no trace.dat in $keep: KT_KEEP=$keep bash tests/lab/cell.t"

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

hostile "$d"
done_testing
