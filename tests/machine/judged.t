# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What the machine can do, judged by check: every run of every conforming semantics is accepted, and
# of edge's every run in which the guest got an interrupt that no level-triggered KVM would have given
# it is rejected.  Runs are the shortest through each transition of the state graph, all of them, and
# random ones that go deeper.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

walk=$build/walk
scenarios=$top/tests/scenarios
cd "$tmp" || exit 1

# rejected FILE: names of the rules broken, or why there is no verdict
rejected() {
	"$kt" check --examples 0 "$1" >verdict 2>&1
	case $? in
	0) ;;
	2) awk '/ broken$/ && !/^VIOLATED/ { printf "%s ", $1 }' verdict ;;
	*) head -n 1 verdict ;;
	esac
}

for s in level lazy mapped userspace; do
	for more in "-x -n 0" "-n 1000 -l 150 -v 2 -c 2"; do
		rm -rf d
		mkdir d
		# shellcheck disable=SC2086
		"$walk" -s $s $more -b 500 -o d >table
		bad=$(for f in d/*.data; do rejected "$f"; done)
		is "$bad" "" "$s, walk $more: $(grep -vc '^#' table) runs, none rejected"
		[ "$(grep -vc '^#' table)" -ge 1000 ]
		ok $? "$s, walk $more: there were runs to judge"
	done
done

rm -rf d
mkdir d
"$walk" -s edge -n 400 -l 120 -o d >table
differ=0 caught=0 missed=
while read -r file _ _ _ _ rest; do
	case $rest in
	*" later=0 "*) continue ;;
	esac
	differ=$((differ + 1))
	if [ -n "$(rejected "$file")" ]; then
		caught=$((caught + 1))
	else
		missed+="$file "
	fi
done < <(grep -v '^#' table)
[ $differ -gt 20 ]
ok $? "edge: in $differ of 400 random runs the guest sees a difference"
is "$caught" "$differ" "edge: each of them is rejected" "$missed"

for how in disable imask cval; do
	for k in 2 3; do
		for s in edge level lazy mapped; do
			"$kt" simulate "$scenarios/seed-$how-k$k.scn" -s $s -q -o - | "$kt" check --examples 0 - >verdict 2>&1
			is $? "$([ $s = edge ] && echo 2 || echo 0)" "the seed by $how, k=$k, $s: $(head -n 1 verdict)"
		done
	done
done
done_testing
