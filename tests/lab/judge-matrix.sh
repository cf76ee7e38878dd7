# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# The part `matrix` of a cell, judged: what we recorded on real KVM is compared with what independent
# witnesses counted in the same run, and both sources with each other (cell.sh).

produced() {
	awk -v e="$2" '$1 == e { print $2 }' "$1"
}

check_attribution() {
	local cell=$1 d=$2 report=$2/two-vms.json bad lost rises taken
	"$kt" report --json "$d/two-vms.data" >"$report"
	is "$(number "$report" unattributed_timer)" 0 "$cell: two VMs: every timer event is attributed"
	# Each vCPU's line rose for each interrupt that its guest took, and perhaps once more before the
	# guest had turned its timer off.  A rise may hide behind any event that was lost: the end of
	# an interrupt shows in its list register.
	lost=$(number "$report" lost)
	sed -n 's/^ *"rises":\([1-9][0-9]*\),$/\1/p' "$report" >"$tmp/rises"
	is "$(awk -v least=$((60 - lost)) '$1 >= least { n++ } END { print n + 0 }' "$tmp/rises")" 4 \
		"$cell: two VMs: each vCPU's line rose for each of its 60 interrupts"
	taken=$(grep -o ' taken=[0-9]*' "$d/two-vms.out" | awk -F= '{ n += $2 } END { print n + 0 }')
	rises=$(awk '{ n += $1 } END { print n + 0 }' "$tmp/rises")
	[ "$taken" -ge 240 ] && [ "$rises" -ge $((taken - lost)) ] && [ "$rises" -le $((taken + 4)) ]
	ok $? "$cell: two VMs: $rises rises for the $taken interrupts that the guests took" "$(cat "$tmp/rises" "$d/two-vms.out")"
	lost=$(kind_count "$report" lost_by_kind update_irq)
	"$kt" dump "$d/two-vms.data" >"$d/two-vms.txt"
	updates "$cell: two VMs" "$d/two-vms.txt" "$d/two-vms.by-vcpu" "$lost"
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

# The kernel does not say which kinds a full trace buffer lost: the sum must be right.  A
# kprobe that the kernel skipped is lost to us and not seen by a witness that is one too.
check_loss_sum() {
	local cell=$1 d=$2 report=$2/small-ring.json records lost produced
	"$kt" report --json "$d/small-ring.data" >"$report"
	lost=$(number "$report" lost)
	records=$(sed -n 's/^ *"stop.records":"\([0-9]*\)".*/\1/p' "$report")
	produced=$(awk '{ n += $2 } END { print n }' "$d/small-ring.produced")
	[ "$lost" -gt 0 ]
	ok $? "$cell: small ring: events were lost on purpose"
	is "$((records + lost))" "$produced" "$cell: small ring: records $records + lost $lost = produced"
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

check_both() {
	local cell=$1 d=$2 name=$3
	[ "$(cat "$d/$name.status")" = 0 ]
	ok $? "$cell: both sources at once: $name was acted" "status $(cat "$d/$name.status"): $(cat "$d/$name.err" "$d/$name.out")"
	is "$("$kt" report --json "$d/$name.bpf" >"$tmp/x"; number "$tmp/x" lost), $(
		"$kt" report --json "$d/$name.ftrace" >"$tmp/x"; number "$tmp/x" lost)" "0, 0" "$cell: $name: neither source lost anything"
	tell_the_same "$cell: $name: both sources" --least 500 "$d/$name.bpf" "$d/$name.ftrace"
}

# Set up, taken down and told apart, whatever happens to the recorder.
check_life() {
	local cell=$1 d=$2 life
	life=$(tr '\n' ' ' <"$d/life")
	like "$life" 'first left: 1 instance, some probes' "$cell: a killed recorder leaves its instance"
	like "$life" 'removed what a killed recorder.* record: status 0; left: 0 0' "$cell: the next start removes it"
	like "$life" 'second left: 1 instance, some probes.* doctor: status 0; left: 0 0' "$cell: doctor removes it"
	like "$life" '--source ftrace +works' "$cell: doctor: ftrace works"
	for signal in INT TERM HUP; do
		like "$life" "$signal: status 0; left: 0 0" "$cell: SIG$signal: nothing is left"
	done
	like "$life" 'two at once: status 0' "$cell: two recorders at once"
	"$kt" report --json "$d/inner.data" >"$tmp/inner"
	"$kt" report --json "$d/outer.data" >"$tmp/outer"
	is "$(kind_count "$tmp/inner" by_kind vcpu_gone),$(kind_count "$tmp/outer" by_kind vcpu_gone)" 1,2 \
		"$cell: two at once: each has what it saw"
	is "$(cat "$d/tracefs-after")" "$(cat "$d/tracefs-before")" "$cell: the rest of tracefs is as it was"
}

# Order only: the function tracer where there are no timer tracepoints.
check_calls() {
	local cell=$1 d=$2
	"$kt" dump "$d/calls.data" >"$tmp/calls"
	is "$(grep -cE ' (update_irq|map|save|restore|vgic_update)[. ]' "$tmp/calls")" 0 "$cell: calls: no timer tracepoint was used"
	# 8 vgic-flush, 9 vgic-sync, 5 timer-update, 10 vgic-inject
	is "$(awk '$4 ~ /^call/ { fn = $5; sub(/fn=/, "", fn); last[$3] = fn }
		$4 == "entry" && last[$3] != 8 { bad++ }
		$4 == "exit" && !($3 in last) { bad++ }
		$4 == "entry" { n++ } END { print (n > 20 ? "enough" : "few"), bad + 0 }' "$tmp/calls")" "enough 0" \
		"$cell: calls: each entry comes straight after its flush"
	is "$(awk '$4 ~ /^call/ { fn = $5; sub(/fn=/, "", fn); if (was[$3] == 5 && fn != 10) bad++; if (fn == 5) n++; was[$3] = fn }
		END { print (n > 20 ? "enough" : "few"), bad + 0 }' "$tmp/calls")" "enough 0" \
		"$cell: calls: each update of a line goes on into the vgic"
}

# judge_matrix CELL DIR
judge_matrix() {
	local cell=$1 d=$2 source name
	for source in bpf ftrace; do
		check_attribution "$cell $source" "$d/$source"
		check_scenarios "$cell $source" "$d/$source"
	done
	check_loss "$cell bpf" "$d/bpf"
	check_loss_sum "$cell ftrace" "$d/ftrace"
	check_life "$cell" "$d/ftrace"
	check_calls "$cell" "$d/ftrace"
	for name in two-vms kinds reuse ptimer user disturbed filtered; do
		check_both "$cell" "$d/both" "$name"
	done
	is "$("$kt" report --json "$d/both/filtered.ftrace" | grep -c '"pid"')" 1 "$cell: filtered: one VM"
}
