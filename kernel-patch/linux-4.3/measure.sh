#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Runs inside a lab host that boots Linux 4.3, patched or not: prints what the
# guests saw and what tracefs shows.  See ../README.md for the command.
#
#   measure.sh [cancel|order|user|loss]...     (all, in this order)
T=/sys/kernel/tracing
G=/lab/bin/guest.bin
FUNCTIONS='kvm_timer_sync_hwstate kvm_vgic_sync_hwstate kvm_vgic_inject_mapped_irq'
EVENTS='kvm_timer_update_irq vgic_flush_lr vgic_sync_lr kvm_entry kvm_exit kvm_userspace_exit'

# guest VMM-OPTIONS -- PARAMETERS: its one line of result, without its name
guest() {
	vmm --timeout 300 "$@" 2>/tmp/err | sed 's/^scenario=[a-z]* //'
}

# A guest masks interrupts, lets the timer fire, cancels it, makes k exits, unmasks:
# "taken" should be 0 wherever there was an exit.  "vmm" is an exit by itself: the VMM
# writes the timer's register before the guest goes on.
cancel() {
	for how in disable imask cval vmm; do
		for k in 0 1 2 3; do
			echo "cancel by $how: $(guest --gic 2 $G scenario=seed how=$how k=$k rounds=200)"
		done
	done
	echo "cancel by disable, exit to user space: $(guest --gic 2 $G scenario=seed kind=mmio k=1 rounds=200)"
}

trace_on() {
	echo 20000 >$T/buffer_size_kb
	for e in $EVENTS; do
		[ ! -e $T/events/kvm/$e ] || echo 1 >$T/events/kvm/$e/enable
	done
	echo >$T/trace
}

trace_off() {
	cat $T/trace >"$1"
	echo 0 >$T/events/enable
	grep -hE '^(overrun|dropped)' $T/per_cpu/cpu*/stats |
		awk '{ n += $NF } END { if (n) print "LOST " n " events: what follows means nothing" }'
}

# Which of the timer and the vgic is synced first after an exit, and is the line ever lowered?
# It is if the vgic is told once more than interrupts became due.
order() {
	echo $FUNCTIONS >$T/set_ftrace_filter
	echo function >$T/current_tracer
	trace_on
	seen=$(guest --gic 2 $G scenario=seed k=2 rounds=50)
	trace_off /tmp/trace
	echo nop >$T/current_tracer
	awk -v seen="$seen" '
		/ kvm_exit: / { first = "" }
		/ kvm_timer_sync_hwstate / { if (first == "") { first = "t"; timer++ } }
		/ kvm_vgic_sync_hwstate / { if (first == "") { first = "v"; vgic++ } }
		/ kvm_vgic_inject_mapped_irq / { told++ }
		/ kvm_timer_update_irq: .*level 1/ { up++ }
		/ kvm_timer_update_irq: .*level 0/ { down++ }
		/ vgic_flush_lr: .*IRQ 27, .* -> pending/ { queued++ }
		/ vgic_sync_lr: .*IRQ 27, .*: pending -> empty, line 0/ { recalled++ }
		/ vgic_flush_lr: .*IRQ 27, .* -> pending, line 0/ { stale++ }
		END {
			printf "order: 50 rounds, k=2, %s\n", seen
			printf "order: synced first after an exit: timer %d times, vgic %d times\n", timer, vgic
			printf "order: vgic told of the line %d times\n", told
			if (up + down)
				printf "order: line up %d, down %d; pending in a list register %d, taken back %d, with the line down %d\n",
					up, down, queued, recalled, stale
			printf "order: so the timer is %s\n", (vgic ? "an edge" : (told >= 100 ? "a level" : "unknown"))
		}' /tmp/trace
}

# No interrupt controller in the kernel: is every change of the line told before the guest goes on?
user() {
	trace_on
	seen=$(guest --gic none --log-irq $G scenario=uirq n=100 limit=100000000)
	trace_off /tmp/trace
	if [ -z "$seen" ]; then
		echo "user: $(grep -v device_irq_level /tmp/err)"
		return
	fi
	echo "user: $seen"
	echo "user: $(grep -c device_irq_level /tmp/err) changes seen by the VMM"
	awk '/ kvm_timer_update_irq: / { changes++; due = 1 }
	     / kvm_userspace_exit: / { due = 0 }
	     / kvm_entry: / { entries++; late += due; due = 0 }
	     END { printf "user: %d changes of the line, %d entries; %d entries with a change untold\n", changes, entries, late }' /tmp/trace
}

# Ten thousand periods each; a period that is lost ends in ok=0 after 200 s.
loss() {
	echo "loss, periodic:          $(guest --gic 2 $G scenario=periodic n=10000 period=1000 limit=200000000)"
	echo "loss, periodic, WFI:     $(guest --gic 2 $G scenario=periodic n=10000 period=1000 wfi=1 limit=200000000)"
	echo "loss, WFI wake-up:       $(guest --gic 2 $G scenario=wfi n=10000 us=500 limit=200000000)"
	echo "loss, exit before EOI:   $(guest --gic 2 $G scenario=periodic n=10000 period=1000 hexit=1 limit=200000000)"
	echo "loss, two vCPUs:         $(guest --gic 2 --vcpus 2 $G scenario=periodic n=10000 period=2000 limit=200000000)"
	echo "loss, two vCPUs, WFI:    $(guest --gic 2 --vcpus 2 $G scenario=periodic n=10000 period=2000 wfi=1 limit=200000000)"
}

[ $# -gt 0 ] || set -- cancel order user loss
for part; do
	$part
done
dmesg | grep -E 'WARNING:|BUG:|Unexpected interrupt|Oops|INFO: (rcu|possible|suspicious|inconsistent)' | sed 's/^/KERNEL: /'
exit 0
