# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Recordings with parts missing, of the reference machine and of stories: lost data never convicts a
# conforming KVM, and never hides what is broken elsewhere.  tests/kept/lossy.t does the same with what was
# recorded on real kernels.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

lossy=$build/lossy
walk=$build/walk
cd "$tmp" || exit 1

# runs DIR OPTIONS...: thirty random runs of the machine in one file, DIR.data
runs() {
	"$walk" "${@:2}" -n 30 -l 120 -b 30 -o "$1" >/dev/null && mv "$1"/*.data "$1.data"
}

# ---- conforming: never violated ----
for s in level lazy mapped userspace; do
	runs $s -s $s -v 2 -c 2
	"$lossy" -n 12 $s.data >out 2>&1
	ok $? "$s: cut, lossy, rotated: no verdict, the reason, and most rules still tested" "$(cat out)"
	like "$(cat out)" 'cuts: 12 judged, 0 failed' "$s: as many cuts as were asked for"
	like "$(cat out)" 'losses: 12 judged, 0 failed' "$s: as many losses"
	like "$(cat out)" 'rotations: 24 judged, 0 failed' "$s: both files of as many rotations"
done
# Not its status: of a few dozen events one loss may leave too few rules.
"$lossy" -n 12 --cuts --losses "$top"/tests/check/conforming*.events >out 2>&1
unlike "$(cat out)" ': violated|conforms, as|without a reason|cannot be' "conforming stories: never violated, always a reason"
is "$(grep -c ' judged' out)" "$(find "$top"/tests/check -name 'conforming*.events' | wc -l | awk '{ print 2 * $1 }')" \
	"conforming stories: each was cut and made lossy" "$(cat out)"

# ---- broken: not blind ----
# keeps RULE NAME: of what leaves a violation untouched nearly all leave it seen
keeps() {
	"$lossy" -n 20 --cuts --losses "--expect=keeps-$1" "$2.data" >out 2>&1
	ok $? "$2: $1 is still broken whatever else is missing" "$(cat out)"
	like "$(grep -c 'kept .* in [1-9][0-9]* of [1-9]' out)" '^2$' "$2: $1: there were draws that do not touch it" "$(cat out)"
}
runs edge -s edge
keeps I11 edge
runs late -s mapped -f 1
keeps I9 late
keeps I12 late
runs stale -s mapped -f 4
keeps I7 stale

# ---- the tool itself ----
"$lossy" -n 3 edge.data >out 2>&1
is $? 1 "a broken recording is none to expect nothing of"
like "$(cat out)" 'edge.data: is no conforming recording to begin with: .*I11' "and it says which rules"
"$lossy" -n 3 --expect=keeps-I11 mapped.data >out 2>&1
is $? 1 "what is not broken cannot be kept"
"$lossy" -n 5 -s 9 --anyway edge.data >first
"$lossy" -n 5 -s 9 --anyway edge.data >second
[ -s first ] && cmp -s first second
ok $? "the same seed draws the same" "$(diff first second)"
head -c 5000 mapped.data >cut.data
"$lossy" -n 3 cut.data >out 2>&1
is $? 1 "a recording that is cut already is refused"

# It can fail: what is broken to begin with stays so wherever it is cut.
mkdir kept
"$lossy" -n 20 --losses --keep kept --anyway edge.data >out 2>&1
is $? 1 "a violated draw is a failure"
like "$(cat out)" 'edge.data: losses, seed [0-9]+: violated .*I11' "it is told with its seed and the rules"
seed=$(sed -n 's/.*losses, seed \([0-9]*\): violated.*/\1/p' out | head -n 1)
"$kt" check "kept/edge.data.losses.$seed" >verdict
is $? 2 "the file is kept, and check says the same of it" "$(cat verdict)"
like "$("$lossy" -n 1 -s "$seed" --losses --anyway edge.data)" "seed $seed: violated" "and can be made again from the seed"
done_testing
