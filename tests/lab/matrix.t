# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# On real KVM: every kernel, VHE and nVHE, GICv2 and GICv3.  What we recorded is
# compared with what independent witnesses counted in the same run (cell.sh).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"

cells=${KT_CELLS:-'5.10:max:3 5.10:cortex-a72:2 6.1:max:2 6.1:cortex-a72:3 6.12:max:3 6.12:cortex-a72:2 7.x:max:3 7.x:cortex-a72:2'}

produced() {
	awk -v e="$2" '$1 == e { print $2 }' "$1"
}

check_attribution() {
	local cell=$1 d=$2 report=$2/two-vms.json bad
	"$kt" report --json "$d/two-vms.data" >"$report"
	is "$(number "$report" unattributed_timer)" 0 "$cell: two VMs: every timer event is attributed"
	"$kt" dump "$d/two-vms.data" >"$d/two-vms.txt"
	updates "$cell: two VMs" "$d/two-vms.txt" "$d/two-vms.by-vcpu" "$(kind_count "$report" lost_by_kind update_irq)"
	is "$(wc -l <"$tmp/theirs")" 4 "$cell: two VMs: four vCPUs were seen"
	bad=$(sed -n 's/^vmm: ids //p' "$d/two-vms.err" | while read -r tgid tid id _; do
		grep -q "^ident .* $tgid $tid $id " "$d/two-vms.txt" || echo "$tgid $tid $id"
	done)
	is "$bad" "" "$cell: two VMs: pids, thread ids and vcpu_ids are the VMM's own"
	like "$("$kt" report "$d/two-vms.data")" '^ +[12]  a ' "$cell: VM a has its name"
}

check_loss() {
	local cell=$1 d=$2 report=$2/small-ring.json kind event seen lost
	"$kt" report --json "$d/small-ring.data" >"$report"
	[ "$(number "$report" lost)" -gt 0 ]
	ok $? "$cell: small ring: events were lost on purpose"
	while read -r kind event; do
		seen=$(kind_count "$report" by_kind "$kind")
		lost=$(kind_count "$report" lost_by_kind "$kind")
		is "$((seen + lost))" "$(produced "$d/small-ring.produced" "$event")" \
			"$cell: small ring: $kind seen $seen + lost $lost = produced"
	done <<-'KINDS'
		entry kvm_entry
		exit kvm_exit
		update_irq kvm_timer_update_irq
		save kvm_timer_save_state
		restore kvm_timer_restore_state
	KINDS
	"$kt" report --strict "$d/small-ring.data" >/dev/null
	is $? 3 "$cell: small ring: --strict says inconclusive"
}

check_scenarios() {
	local cell=$1 d=$2 words
	like "$(cat "$d/seed0.out")" 'k=0 taken=[1-5]' "$cell: seed, no exit between: the interrupt is delivered (a host tick may be an exit)"
	like "$(cat "$d/seed1.out")" 'k=1 taken=0' "$cell: seed, one exit between: no interrupt"
	like "$(cat "$d/seed2.out")" 'k=2 taken=0' "$cell: seed, masked in CTL, two exits: no interrupt"
	words=$("$kt" timeline --steps --from 0s --width 100 "$d/active.data")
	like "$words" 'vtimer lr +empty -> pending' "$cell: LR lane: pending"
	like "$words" 'vtimer lr +pending -> active' "$cell: LR lane: active"
	like "$words" 'vtimer lr +(active|pending) -> empty' "$cell: LR lane: empty"
	like "$("$kt" timeline --steps --from 0s "$d/user.data")" 'vtimer user +low -> high' "$cell: userspace irqchip: the user lane rises"
	like "$("$kt" timeline --steps --from 0s "$d/user.data")" 'vtimer user +high -> low' "$cell: userspace irqchip: the user lane falls"
	words=$("$kt" report "$d/wfi.data")
	like "$words" '^wfi +[5-9] ' "$cell: WFI exits are counted as such"
	like "$words" 'sleep-wakeup +[1-5] ' "$cell: a sleep until the timer is taken apart"
	"$kt" report --json "$d/kinds.data" >"$d/kinds.json"
	words=$("$kt" report "$d/kinds.data")
	like "$words" '^hvc +50 ' "$cell: 50 hypercalls are 50 hvc exits"
	like "$words" '^sysreg-other +5[0-9] ' "$cell: 50 trapped registers are sysreg exits"
	is "$("$kt" report --json "$d/reuse.data" | grep -c '"irqchip"')" 3 "$cell: three VMs in one process, one after the other, are three"
	like "$(cat "$d/disturbed.out")" 'taken=20[0-9].*ok=1' "$cell: migrated and preempted: the guest lost nothing"
	is "$("$kt" report --json "$d/disturbed.data" >"$d/x"; number "$d/x" unattributed_timer)" 0 \
		"$cell: migrated and preempted: every timer event is attributed"
}

for cell in $cells; do
	IFS=: read -r kernel cpu gic <<<"$cell"
	d=$tmp/$cell
	lab --kernel "$kernel" --cpu "$cpu" --gic "$gic" --out "$d" -- sh /lab/bin/cell.sh matrix >"$tmp/log" 2>&1
	ok $? "$cell: the host booted and acted" "$(cat "$tmp/log")"
	[ -e "$d/two-vms.data" ] || continue
	check_attribution "$cell" "$d"
	check_loss "$cell" "$d"
	check_scenarios "$cell" "$d"
done
done_testing
