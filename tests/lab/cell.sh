#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host: acts the scenarios under the recorder and keeps, beside
# each recording, what independent witnesses counted: KVM's own statistics, the
# VMM's thread ids, and ftrace's hist triggers, which count in the kernel and
# lose nothing.
cd /lab || exit 1
T=/sys/kernel/tracing
G=/lab/bin/guest.bin

# One kprobe on the function behind kvm_timer_update_irq: its first argument is the vCPU.
echo 'p:kt/upd kvm_timer_update_irq vcpu=%x0:x64' >$T/kprobe_events || exit 1

EVENTS="kvm/kvm_entry kvm/kvm_exit kvm/kvm_timer_update_irq kvm/kvm_timer_save_state kvm/kvm_timer_restore_state"
# All that the ftrace source takes at detail line: its losses are known as a sum only.
MORE="kvm/kvm_get_timer_map kvm/kvm_timer_emulate kvm/kvm_timer_hrtimer_expire kvm/vgic_update_irq_pending
	kvm/kvm_wfx_arm64 kvm/kvm_vcpu_wakeup kvm/kvm_userspace_exit kvm/kvm_handle_sys_reg"
FUNCTIONS="kvm_timer_vcpu_load kvm_timer_vcpu_reset kvm_timer_enable kvm_timer_vcpu_put kvm_hrtimer_expire
	kvm_bg_timer_expire kvm_arch_vcpu_destroy kvm_arch_destroy_vm"
SOURCE=bpf
OUT=$KT_OUT
. /lab/bin/takes.sh
# Before b450dcce93bc a soft timer may not be armed: each period is up to two seconds late then
# (5.10 and 6.1, nVHE), and a guest gives up after twenty unless told otherwise.
PTIMER="scenario=periodic timer=p n=20 period=2000 limit=100000000"

if [ -e $T/events/kvm/kvm_entry/hist ]; then
	witness_on() {
		echo 'hist:keys=vcpu.hex' >$T/events/kt/upd/trigger
		for e in $EVENTS; do
			echo 'hist:keys=common_pid' >$T/events/$e/trigger
		done
	}

	witness_off() {
		cat $T/events/kt/upd/hist >"$OUT/$1.by-vcpu"
		for e in $EVENTS; do
			echo "${e#*/} $(awk '/^ *Hits:/ { print $2 }' $T/events/$e/hist)"
		done >"$OUT/$1.produced"
		echo '!hist:keys=vcpu.hex' >$T/events/kt/upd/trigger
		for e in $EVENTS; do
			echo '!hist:keys=common_pid' >$T/events/$e/trigger
		done
	}
else
	# Debian's 5.10 has no hist triggers: a trace buffer large enough to lose nothing.
	W=$T/instances/witness

	witness_on() {
		mkdir $W
		echo 40000 >$W/buffer_size_kb
		for e in kt/upd $EVENTS; do
			echo 1 >$W/events/$e/enable
		done
	}

	witness_off() {
		echo 0 >$W/events/enable
		if cat $W/per_cpu/cpu*/stats | awk '/^(overrun|dropped)/ { n += $NF } END { exit n != 0 }'; then
			awk '{ for (i = 1; i <= NF; i++) if ($i ~ /^vcpu=/) n[substr($i, 8)]++ }
				END { for (p in n) print "{ vcpu: " p " } hitcount: " n[p] }' $W/trace >"$OUT/$1.by-vcpu"
			for e in $EVENTS; do
				echo "${e#*/} $(grep -c " ${e#*/}: " $W/trace)"
			done >"$OUT/$1.produced"
		fi
		rmdir $W
	}
fi

# record NAME OPTIONS... -- COMMAND, with witnesses
record() {
	name=$1
	shift
	witness_on
	kvmtimer-trace record -q --source $SOURCE -o "$OUT/$name.data" "$@" >"$OUT/$name.out" 2>"$OUT/$name.err"
	status=$?
	echo $status >"$OUT/$name.status"
	got_through "$SOURCE: $name" $status
	witness_off "$name"
}

# both NAME OPTIONS... -- COMMAND: one run, recorded by both sources at once
both() {
	name=$1 options=
	shift
	while [ "$1" != -- ]; do
		options="$options $1"
		shift
	done
	shift
	kvmtimer-trace record -q --source bpf --buffer-size 8M $options -o "$KT_OUT/both/$name.bpf" -- \
		kvmtimer-trace record -q --source ftrace --buffer-size 8M $options -o "$KT_OUT/both/$name.ftrace" -- \
		"$@" >"$KT_OUT/both/$name.out" 2>"$KT_OUT/both/$name.err"
	status=$?
	echo $status >"$KT_OUT/both/$name.status"
	got_through "$name" $status
	files="$KT_OUT/both/$name.bpf $KT_OUT/both/$name.ftrace"
}

# What of tracefs is not ours, or not there any more: the same before and after.
tracefs_state() {
	ls $T/instances
	grep -c kvmtimer $T/kprobe_events
	for f in options/record-tgid options/overwrite current_tracer trace_clock tracing_on set_ftrace_filter set_event; do
		echo "$f: $(cat $T/$f)"
	done
}

scenarios() {
	record two-vms --detail lr -- sh -c "
		vmm --print-ids --name a --vcpus 2 --timeout 60 $G scenario=periodic n=60 period=2000 & a=\$!
		vmm --print-ids --name b --vcpus 2 --timeout 60 $G scenario=periodic n=60 period=2000 wfi=1 && wait \$a"
	small_ring
	# What the guest sees under the recorder; starting that one takes longer than a guest does.
	record seeds -- sh -ec "
		vmm --timeout 30 $G scenario=seed k=0 rounds=5 >$OUT/seed0.out
		vmm --timeout 30 $G scenario=seed k=1 rounds=5 >$OUT/seed1.out
		vmm --timeout 30 $G scenario=seed k=2 rounds=5 how=imask >$OUT/seed2.out"
	record active --detail lr -- vmm --timeout 30 $G scenario=periodic n=10 period=2000 hexit=1
	record wfi -- vmm --timeout 60 --stats $G scenario=wfi n=5 us=20000
	record kinds -- vmm --timeout 60 --stats $G scenario=kinds n=50
	record user --detail lr -- vmm --timeout 60 --gic none --log-irq $G scenario=uirq n=3
	record reuse -- vmm --timeout 60 --repeat 3 --print-ids --id-base 2 $G scenario=hvc n=50
	record disturbed --detail lr -- vmm --timeout 90 --vcpus 2 --migrate 7 --preempt $G \
		scenario=periodic n=100 period=2000
}

small_ring() {
	few=$EVENTS
	if [ $SOURCE = ftrace ]; then
		for f in $FUNCTIONS; do
			echo "p:kt/$f $f" >>$T/kprobe_events && EVENTS="$EVENTS kt/$f"
		done
		EVENTS="$EVENTS $MORE"
	fi
	record small-ring --buffer-size 4K -- vmm --stats --timeout 60 $G scenario=timer n=4000
	EVENTS=$few
	awk '$1 ~ /^kvm_/ { n += $3 } END { print "skipped", n + 0 }' $T/kprobe_profile >>"$OUT/small-ring.produced"
}

# kill -9, then what the next start and doctor find and leave behind
crash() {
	rm -f /tmp/crash.data
	kvmtimer-trace record -q --source ftrace -o /tmp/crash.data -- sh -c "
		echo \$\$ >/tmp/vmm.pid; exec vmm --timeout 20 $G scenario=hvc n=300000" >/dev/null 2>&1 &
	pid=$!
	await 60 test -s /tmp/crash.data
	sleep 0.3
	kill -9 $pid
	wait $pid
	kill "$(cat /tmp/vmm.pid)"
	echo "$1 left: $(ls $T/instances | grep -c kvmtimer) instance, $(grep -c kvmtimer $T/kprobe_events | sed 's/^[1-9][0-9]*$/some/') probes"
}

# Only one VM of two, and its threads are made after the filter.
filtered() {
	sh -c "kill -STOP \$\$; exec vmm --name a --vcpus 2 --timeout 60 $G scenario=periodic timer=p n=40 period=3000 wfi=1" \
		>/dev/null 2>&1 &
	vmm=$!
	both filtered --detail lr -p $vmm -- sh -c "
		vmm --name b --timeout 60 $G scenario=periodic n=40 period=3000 &
		kill -CONT $vmm
		for i in \$(seq 900); do readlink /proc/$vmm/exe >/dev/null || break; sleep 0.1; done; sleep 0.5; wait"
	# Of a VM that never went on there is no end to wait for; its exit says that it was killed.
	kill -0 $vmm 2>/dev/null && kill -KILL $vmm
	wait $vmm
	got_through "filtered: VM a" $?
}

case $1 in
matrix)
	for SOURCE in bpf ftrace; do
		OUT=$KT_OUT/$SOURCE
		mkdir -p "$OUT"
		tracefs_state >"$OUT/tracefs-before"
		scenarios
		tracefs_state >"$OUT/tracefs-after"
	done
	mkdir -p "$KT_OUT/both"
	lossless both two-vms -- sh -c "
		vmm --name a --vcpus 2 --timeout 60 $G scenario=periodic n=60 period=2000 & a=\$!
		vmm --name b --vcpus 2 --timeout 60 $G scenario=periodic n=60 period=2000 wfi=1 && wait \$a"
	lossless both kinds -- vmm --timeout 60 $G scenario=kinds n=50
	lossless both ptimer --detail lr -- vmm --timeout 120 $G $PTIMER
	lossless both user --detail lr -- vmm --timeout 60 --gic none $G scenario=uirq n=3
	lossless both reuse -- vmm --timeout 60 --repeat 3 --id-base 2 $G scenario=hvc n=50
	lossless both disturbed --detail lr -- vmm --timeout 90 --vcpus 2 --migrate 7 --preempt $G scenario=periodic n=100 period=2000
	lossless filtered
	OUT=$KT_OUT/ftrace
	{
		crash first
		kvmtimer-trace record -q --source ftrace -o /tmp/x.data -- true
		echo "record: status $?; left: $(ls $T/instances | grep -c kvmtimer) $(grep -c kvmtimer $T/kprobe_events)"
		crash second
		kvmtimer-trace doctor
		echo "doctor: status $?; left: $(ls $T/instances | grep -c kvmtimer) $(grep -c kvmtimer $T/kprobe_events)"
		rm -f /tmp/x.data
		for signal in INT TERM HUP; do
			kvmtimer-trace record -q --source ftrace -o /tmp/x.data &
			pid=$!
			await 60 test -s /tmp/x.data
			kill -$signal $pid
			wait $pid
			echo "$signal: status $?; left: $(ls $T/instances | grep -c kvmtimer) $(grep -c kvmtimer $T/kprobe_events)"
			rm -f /tmp/x.data
		done
		kvmtimer-trace record -q --source ftrace -o "$OUT/outer.data" -- sh -c "
			kvmtimer-trace record -q --source ftrace -o $OUT/inner.data -- vmm --timeout 20 $G scenario=hvc n=20
			vmm --timeout 20 $G scenario=hvc n=20" >/dev/null
		echo "two at once: status $?"
	} >"$OUT/life" 2>&1
	record calls --calls -- vmm --timeout 30 $G scenario=periodic n=20 period=2000
	tracefs_state >"$OUT/tracefs-after"
	;;
conform)
	# What a conforming KVM does with each guest, at detail lr: `check` must find nothing.
	# One recording for several guests: attaching costs more than they do.
	judged_only=1
	take() {
		name=$1 files=$KT_OUT/$1.data
		shift
		kvmtimer-trace record -q --detail lr -o "$files" -- sh -ec "$*" >"$KT_OUT/$name.out" 2>"$KT_OUT/$name.err"
		status=$?
		got_through "$name" $status
	}
	run() {
		echo "vmm --timeout 60 $*;"
	}
	lossless take seed "$(for how in disable imask cval; do run $G scenario=seed k=1 rounds=20 how=$how; done
		run $G scenario=seed k=1 rounds=10 steps=user; run $G scenario=seed k=1 rounds=20 timer=p)"
	lossless take timers "$(run $G scenario=periodic n=100 period=2000; run $G scenario=periodic n=50 period=2000 hexit=1
		run $G scenario=high n=20; run $G scenario=hvc n=500; run $G scenario=kinds n=50
		run --repeat 3 $G scenario=periodic n=20 period=2000)"
	lossless take ptimer "$(run --timeout 120 $G $PTIMER)"
	lossless take sleep "$(run $G scenario=sleeps n=10; run $G scenario=wfi n=10 us=20000; run $G scenario=wfi timer=p n=10 us=20000)"
	lossless take smp "$(run --vcpus 2 --migrate 7 --preempt $G scenario=periodic n=100 period=2000
		run --vcpus 2 $G scenario=periodic n=60 period=3000 wfi=1)"
	lossless take user "$(run --gic none $G scenario=uirq n=10; run --gic none $G scenario=periodic n=30 period=3000
		run --gic none --vcpus 2 $G scenario=periodic n=30 period=3000)"
	;;
live)
	# Judged while it runs.  This kernel uses a vcpu_id as an index (9a0a75d3ccee): where the two
	# differ the vgic is told about a vCPU that is not there.
	cd "$KT_OUT" || exit 1
	judge() {
		name=$1
		shift
		kvmtimer-trace check --live "$@" >"$name" 2>"$name.err" &
		pid=$!
		await 60 grep -q judging "$name.err"
	}
	conforming() {
		judge conforming
		vmm --timeout 60 $G scenario=periodic n=50 period=2000 >conforming.guest
		got_through "conforming guest" $?
		kill -INT $pid
		wait $pid
		status=$?
	}
	conforming
	# Inconclusive, because the kernel skipped an event: once more, and that is told.
	[ $status -ne 3 ] || { echo conforming >>again; conforming; }
	echo "status $status" >>conforming
	judge broken --on-violation 'shell:echo "$KT_RULE $KT_FILE" >told'
	vmm --timeout 60 --id-base 2 $G scenario=hvc n=500 >broken.guest
	kill -INT $pid
	wait $pid
	echo "status $?" >>broken
	judge stopped --on-violation stop
	vmm --timeout 60 --id-base 2 $G scenario=hvc n=500 >stopped.guest
	wait $pid
	echo "status $?" >>stopped
	kvmtimer-trace check -p 999999 >nobody 2>&1
	echo "status $?" >>nobody
	;;
nohz)
	# VM a alone on the isolated CPU 1, VM b on CPU 0, where a's soft timers fire.
	record nohz --detail lr -- sh -c "
		vmm --print-ids --name a --pin 1 --timeout 60 $G scenario=periodic timer=p n=100 period=3000 &
		vmm --print-ids --name b --pin 0 --timeout 60 $G scenario=periodic timer=p n=100 period=3000; wait"
	;;
effect)
	# Instruction counting, one CPU: exits with and without the recorder, by KVM's own count.
	sleep 10
	for s in hvc timer; do
		vmm --stats $G scenario=$s n=20000 2>&1
		kvmtimer-trace record -q -o /tmp/x.data -- vmm --stats $G scenario=$s n=20000 2>&1
	done >"$KT_OUT/effect"
	;;
refusals)
	# What a person is told when the host does not let us: one line, status 1, no file.
	kt() { kvmtimer-trace "$@"; echo "status $?"; }
	mkdir -p /etc && echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >/etc/passwd && chmod 755 / /lab /lab/bin
	{
		echo "== capability"
		su nobody -s /bin/sh -c "/lab/bin/kvmtimer-trace record -o /tmp/r.data; echo status \$?"
		echo "== kvm"; mv /dev/kvm /dev/kvm.away; kt record -o /tmp/r.data; mv /dev/kvm.away /dev/kvm
		echo "== btf"; mount -t tmpfs none /sys/kernel/btf; kt record --source bpf -o /tmp/r.data
		# Here auto has another way, and names no structure it cannot know.
		echo "== auto"; SOURCE=auto; record no-btf -- sh -c "
			vmm --print-ids --name a --vcpus 2 --timeout 60 $G scenario=periodic n=60 period=2000 &
			vmm --print-ids --name b --vcpus 2 --timeout 60 $G scenario=periodic n=60 period=2000 wfi=1; wait"
		cat $OUT/no-btf.err; echo "status $(cat $OUT/no-btf.status)"
		umount /sys/kernel/btf
		echo "== lockdown"
		mount -t securityfs none /sys/kernel/security
		echo confidentiality >/sys/kernel/security/lockdown && kt record -o /tmp/r.data
		echo "== end"; ls /tmp/r.data
	} >"$KT_OUT/refusals" 2>&1
	;;
esac
exit 0
