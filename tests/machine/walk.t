# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Random runs: the same seed gives the same bytes, no property breaks, conforming semantics give no
# late interrupt, edge does, and every recording reads back whole.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

walk=$build/walk
cd "$tmp" || exit 1

mkdir a b
(cd a && "$walk" -s mapped -v 2 -c 2 -t v,p -n 20 -r 7 -b 4 -o d >table)
(cd b && "$walk" -s mapped -v 2 -c 2 -t v,p -n 20 -r 7 -b 4 -o d >table)
diff -r a b >differences 2>&1
ok $? "the same seed gives the same runs" "$(cat differences)"
is "$(find a/d -name '*.data' | wc -l)" 5 "four runs in each of five files"
for file in a/d/*.data; do
	"$kt" report --strict "$file" >out 2>&1
	ok $? "$file reads back" "$(cat out)"
done
is "$("$kt" report a/d/mapped-00000.data | grep -c '^ *[1-4]  machine/0')" 4 "each run is a VM of its own"

total() { awk -v key="$1" '!/^#/ { for (i = 6; i <= NF; i++) { split($i, a, "="); if (a[1] == key) n += a[2] } } END { print n + 0 }' table; }

for s in edge level level-sync-clear lazy mapped userspace; do
	for more in "" "-c 2" "-v 2" "-v 2 -c 2"; do
		# shellcheck disable=SC2086
		"$walk" -s $s $more -n 500 -l 150 >table
		is "$(grep -vc 'broken=ok$' table)" 1 "$s $more: no property breaks"
		is "$(total missed)" 0 "$s $more: nothing missed"
		case $s in
		edge | level | level-sync-clear)
			[ "$(total late)" -gt 0 ]
			ok $? "$s $more: late interrupts: $(total late) of $(total taken)"
			;;
		*)
			is "$(total late)" 0 "$s $more: none late of $(total taken)"
			;;
		esac
		[ "$(total taken)" -gt 50 ]
		ok $? "$s $more: interrupts are taken at all: $(total taken)"
	done
done
for more in "-t v,p" "-t v,p -e"; do
	# shellcheck disable=SC2086
	"$walk" -s mapped $more -n 500 -l 150 >table
	is "$(grep -vc 'broken=ok$' table) $(total late)" "1 0" "mapped $more: nothing breaks, nothing late of $(total taken)"
done
"$walk" -s mapped -f 1 -n 500 -l 150 >table
[ "$(grep -c 'broken=late$' table)" -gt 0 ]
ok $? "a broken machine is caught at random, too"
done_testing
