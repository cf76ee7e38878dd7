# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Hosts with very many VMs: work grows with what there is, not with its square.
# The limits are of CPU time and wide: at ten times the work of today nothing fails,
# what searches every VM for each vCPU takes several times longer.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
synth=$build/synth
[ -x "$synth" ] || skip_all "no $synth: make bench-offline builds it"

# within SECONDS COMMAND...: quiet, and killed past that much CPU time
within() {
	local seconds=$1
	shift
	(ulimit -t "$seconds" && "$@" >"$tmp/out" 2>"$tmp/err")
}

"$synth" "$tmp/vms.data" 20000 100000 16 2
for view in report "report --all" "report --anonymise --all" "report --json"; do
	# shellcheck disable=SC2086
	within 12 "$kt" $view "$tmp/vms.data"
	ok $? "$view: 100,000 vCPUs in 50,000 VMs within 12 s" "$(cat "$tmp/err")"
done
within 12 "$kt" report "$tmp/vms.data"
like "$(cat "$tmp/out")" 'and 49,?968 more VMs' "all VMs were found"

"$synth" "$tmp/lanes.data" 1000000 10000 16 2
within 20 "$kt" timeline --from 0s --ascii "$tmp/lanes.data"
ok $? "timeline: the lanes of 10,000 vCPUs within 20 s" "$(cat "$tmp/err")"
done_testing
