#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host that counts instructions: the same loops with nothing,
# with our recorder, and with its peers, in one boot.  One line per run:
# WORKLOAD VARIANT hundredths-of-an-instruction-per-iteration
cd /tmp || exit 1
G=/lab/bin/guest.bin
T=/sys/kernel/tracing
EE="-e kvm:kvm_entry -e kvm:kvm_exit"
SET="$EE -e kvm:kvm_get_timer_map -e kvm:kvm_timer_update_irq -e kvm:vgic_update_irq_pending
	-e kvm:kvm_timer_save_state -e kvm:kvm_timer_restore_state"
PROBES="-e lr:flush -e lr:fold_in -e lr:fold_out -e lr:wire -e lr:irqchip"

# once WORKLOAD N VARIANT COMMAND...: the command runs the guest and passes its words through
once() {
	workload=$1 variant=$3
	shift 3
	cns=$("$@" 2>/tmp/err | sed -n 's/.*cns_each=\([0-9]*\).*/\1/p')
	echo "$workload $variant ${cns:-failed: $(tail -n 1 /tmp/err)}" | tee -a "$KT_OUT/bench"
	rm -f /tmp/*.data /tmp/trace.dat* /tmp/*.data.*
}

guest() {
	echo vmm --timeout 300 $G scenario=$1 n=$2
}

probes_on() {
	{
		echo 'r:lr/flush kvm_vgic_flush_hwstate'
		echo 'p:lr/fold_in vgic_v3_fold_lr_state'
		echo 'r:lr/fold_out vgic_v3_fold_lr_state'
		echo 'r:lr/wire kvm_arch_timer_get_input_level'
		echo 'p:lr/irqchip irq_set_irqchip_state'
	} >$T/kprobe_events
}

# Boot work goes on for a while on the only CPU; virtual time jumps over the sleep.
sleep 10
for round in 1 2 3; do
	[ "$round" -le "${ROUNDS:-3}" ] || break
	for w in "hvc ${HVC_N:-100000}" "timer ${TIMER_N:-50000}"; do
		set -- $w
		run=$(guest $1 $2)
		events=$EE
		[ $1 = hvc ] || events=$SET
		once $1 $2 none $run
		once $1 $2 ours kvmtimer-trace record -q --source bpf -o /tmp/x.data -- $run
		once $1 $2 ours-ftrace kvmtimer-trace record -q --source ftrace -o /tmp/x.data -- $run
		once $1 $2 trace-cmd trace-cmd record -q $events -o /tmp/trace.dat $run
		[ $round = 1 ] && [ -n "$KEEP" ] && [ $1 = timer ] && {
			kvmtimer-trace record -q -o "$KT_OUT/ours.data" -- $run >/dev/null 2>&1
			trace-cmd record -q $events -o "$KT_OUT/trace.dat" $run >/dev/null 2>&1
		}
		once $1 $2 perf-record perf record -q -a $events -o /tmp/perf.data $run
	done
	run=$(guest hvc ${HVC_N:-100000})
	once hvc 0 perf-kvm-stat perf kvm stat record -o /tmp/perf.data $run
	once hvc 0 bpftrace-count sh -c "bpftrace -e 'tracepoint:kvm:kvm_entry { @ = count(); } tracepoint:kvm:kvm_exit { @ = count(); }' >/dev/null & p=\$!; sleep 20; $run; kill \$p; wait \$p"
	run=$(guest timer ${TIMER_N:-50000})
	once timer 0 ours-lr kvmtimer-trace record -q --source bpf --detail lr -o /tmp/x.data -- $run
	once timer 0 ours-lr-kprobe kvmtimer-trace record -q --source bpf --no-fentry --detail lr -o /tmp/x.data -- $run
	once timer 0 ours-lr-ftrace kvmtimer-trace record -q --source ftrace --detail lr -o /tmp/x.data -- $run
	probes_on
	once timer 0 trace-cmd-lr trace-cmd record -q $SET $PROBES -o /tmp/trace.dat $run
	echo >$T/kprobe_events
done
