# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2317
# The suite itself: what a cell of the lab is taken again for, and what not.  The lab here is a
# function that leaves what it is told to.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$top/tests/lab/witness.sh"
unset KT_KEEP
export KT_RETAKES=$tmp/retakes

# Each boot takes the next of $boots: STATUS,STALL-IN-US,FAILED,RECORDING
lab() {
	local d=$2 boot stall failed recording
	booted=$((booted + 1))
	boot=$(cut -d' ' -f $booted <<<"$boots")
	IFS=, read -r boot stall failed recording <<<"$boot"
	mkdir -p "$d/part"
	echo "longest_us=$stall cpu=0 at_s=1.0 period_ms=50" >"$d/stall"
	[ -z "$failed" ] || echo "$failed" >"$d/part/failed"
	[ -z "$recording" ] || cp "$top/tests/check/$recording.events" "$d/part/$recording.data"
	return "$boot"
}

# acted BOOT...: what act said of them, in $said, and how often it booted
acted() {
	boots=$* booted=0
	: >"$KT_RETAKES"
	exec 3>&1 4>&2 >"$tmp/said" 2>&1
	count=0 failures=0
	act cell "$tmp/d" -- true
	acted=$?
	exec >&3 2>&4
	said=$(cat "$tmp/said")
}

# The counters of this file are its own.
of_act() {
	local mine=$count failed=$failures
	acted "$@"
	count=$mine failures=$failed
}

of_act 0,5000,,
is "$acted $booted" "0 1" "a cell that got through is booted once"
unlike "$said" '^not ok' "and nothing fails"
of_act 0,999000,guest
is "$booted" 1 "a guest that failed on a host that ran is not taken again"
like "$said" '^not ok' "and fails"
of_act 124,400000,
is "$booted" 1 "nor a host that did not end"
like "$said" '^not ok.*longest stop 400 ms' "which fails, with the longest stop"
of_act 124,3000000, 0,5000,
is "$acted $booted" "0 2" "one that stood still is taken again"
unlike "$said" '^not ok' "and what counts is the second take"
is "$(cat "$KT_RETAKES")" "taken again: cell: stood still for 3000 ms: the lab: status 124" "which is told"
of_act 0,3000000,guest 0,4000000,guest
is "$acted $booted" "1 2" "one that stood still twice is not taken a third time"
like "$said" '^ok .* # SKIP the host stood still for 4000 ms' "it is skipped with the figure"
like "$(cat "$KT_RETAKES")" '^skipped: cell: stood still for 4000 ms, twice' "which is told, too"
of_act 0,3000000,guest,saved-twice 0,5000,
like "$said" '^not ok .*saved-twice.data, taken again: D1 broken' "a rule that was broken in the first take fails"
of_act 0,9000000,,saved-twice
is "$booted" 1 "a broken rule alone is no reason to take a cell again, however long the host stood still"

mkdir "$tmp/r"
echo smp >"$tmp/r/again"
cp "$top/tests/check/conforming.events" "$tmp/r/smp.first.data"
: >"$KT_RETAKES"
recorded_again cell "$tmp/r" 2>/dev/null
is "$(cat "$KT_RETAKES")" "recorded again: cell: smp" "what was recorded again in its host is told"

# ---- the last lines of a run ----

cat >"$tmp/one.t" <<'TEST'
echo "taken again: a cell" >>"$KT_RETAKES"
echo "1..1"
echo "ok 1"
TEST
out=$(KT_SOAK_DIR='' "$top/scripts/run-tests" "$tmp/one.t" 2>&1)
like "$(tail -n 2 <<<"$out" | tr '\n' ' ')" '1 cells taken again, 0 skipped; 0 recordings taken again 1 passed, 0 failed, 0 skipped' \
	"run-tests counts what was taken again, and ends with its totals"
! "$top/scripts/run-tests" "$tmp/none.t" >"$tmp/out" 2>&1
ok $? "a test that is not there is no test that passed" "$(cat "$tmp/out")"
done_testing
