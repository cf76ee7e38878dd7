# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Every scenario under every semantics that it is for: what the guest must have seen is in the
# scenario itself, and what the machine recorded can be read by every command.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

scenarios=$top/tests/scenarios
semantics='edge level level-sync-clear lazy mapped userspace'

applies() { [[ $(cat "$tmp/err") != *"not for the semantics"* ]]; }

for file in "$scenarios"/*.scn; do
	name=$(basename "$file" .scn)
	acted=0
	for s in $semantics; do
		"$kt" simulate "$file" -s "$s" -q -o "$tmp/run.data" 2>"$tmp/err"
		status=$?
		applies || continue
		acted=$((acted + 1))
		ok $status "$name: $s" "$(cat "$tmp/err")"
		"$kt" report "$tmp/run.data" --strict >"$tmp/report" 2>&1 &&
			"$kt" timeline "$tmp/run.data" --strict >"$tmp/timeline" 2>&1
		ok $? "$name: $s: report and timeline read it" "$(cat "$tmp/report" "$tmp/timeline")"
	done
	like "$acted" '^[1-6]$' "$name: is for some semantics"
	grep -q '^expect' "$file"
	ok $? "$name: says what must come out of it"
done

# The table of kernel-patch, measured on real kernels: interrupts taken at k = 0..3.
k_table() {
	local how=$1 s=$2 k line=
	for k in 0 1 2 3; do
		line+=" $("$kt" simulate "$scenarios/seed-$how-k$k.scn" -s "$s" --summary | sed 's/.*taken=\([0-9]*\).*/\1/')"
	done
	echo "$line"
}
for how in disable imask cval; do
	is "$(k_table $how edge)" " 1 1 1 1" "edge takes it however many exits lie between ($how)"
	is "$(k_table $how level)" " 1 1 0 0" "level needs two exits ($how)"
	is "$(k_table $how mapped)" " 1 0 0 0" "mapped needs one exit ($how)"
	is "$(k_table $how lazy)" " 1 0 0 0" "lazy needs one exit ($how)"
	is "$(k_table $how level-sync-clear)" " 1 1 1 1" "the rework's first version never takes it back ($how)"
	is "$(k_table $how userspace)" " 0 0 0 0" "without a vgic reading IAR is an exit itself ($how)"
done

# Seed 002: the timer stays in hardware from load to put; before, it moves at each entry and exit.
saw() { "$kt" simulate "$scenarios/$1.scn" -s "$2" --summary; }
like "$(saw guest-takes-it level)" 'entries=3 exits=3 saves=3 restores=3' "level saves and restores at each entry"
like "$(saw guest-takes-it lazy)" 'entries=3 exits=3 saves=0 restores=1' "lazy saves and restores at put and load"

# ---- as a stream ----
like "$("$kt" simulate "$scenarios/seed-disable-k1.scn" -s mapped 2>/dev/null | "$kt" report -)" 'source machine' "a pipe into report"
like "$("$kt" simulate "$scenarios/seed-disable-k1.scn" -s mapped -q -o - | "$kt" timeline --ascii -)" 'vtimer lr' "a pipe into timeline"
is "$("$kt" simulate "$scenarios/periodic.scn" -s mapped -q -o - | "$kt" dump - | grep -v capture.command)" \
	"$("$kt" simulate - -s mapped -q -o - <"$scenarios/periodic.scn" | "$kt" dump - | grep -v capture.command | sed 's,machine.scenario="-",machine.scenario="'"$scenarios/periodic.scn"'",')" \
	"the same run gives the same recording, also from standard input"

# ---- mistakes ----
wrong() {
	local name=$1 status=$2 wanted=$3 got
	got=$("$kt" simulate "$tmp/wrong.scn" -s mapped -o "$tmp/wrong.data" 2>&1)
	is $? "$status" "$name: status"
	like "$got" "$wanted" "$name"
}
cd "$tmp" || exit 1
printf 'mask\nfrobnicate\n' >wrong.scn
wrong "unknown step" 1 'wrong.scn:2: there is no step "frobnicate"'
printf 'mask\nhvc lots\n' >wrong.scn
wrong "bad count" 1 'wrong.scn:2: "lots" is not a number from 0 to 1000'
printf 'machine vcpus=3\nmask\n' >wrong.scn
wrong "too many vCPUs" 1 'wrong.scn:1: "3" is not a number from 1 to 2'
printf '# nothing\n' >wrong.scn
wrong "no steps" 1 'no steps in it'
[ ! -e wrong.data ]
ok $? "a mistake leaves no recording"
printf 'program 2ms\nenable\nwfi\nhvc\n' >wrong.scn
wrong "asleep for ever" 1 'wrong.scn:4: vCPU 0 has executed WFI and nothing has woken it'
printf 'run\nexpire\n' >wrong.scn
wrong "nothing to expire" 1 'wrong.scn:2: "expire" is not possible for vCPU 0, which is in the guest'
printf 'hvc\nexpect all exits=7\n' >wrong.scn
wrong "an expectation" 1 'wrong.scn:2: mapped: expected exits=7, got 1'
printf 'machine timers=v,p\nprogram 9ms ptimer\nprogram 5ms\nenable\nexpire ptimer\n' >wrong.scn
wrong "time runs forward" 1 'wrong.scn:5: the vtimer of vCPU 0 is due first'
printf 'machine timers=v,p\nhvc\n' >wrong.scn
"$kt" simulate wrong.scn -s level >got 2>&1
is $? 1 "4.4 has no guest ptimer: status"
like "$(cat got)" 'not for the semantics "level"' "4.4 has no guest ptimer"
done_testing
