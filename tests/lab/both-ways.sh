#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host whose vgic has tracepoints: three recorders watch the same
# guests: BPF on the tracepoints, BPF on the functions, and ftrace on the tracepoints.
cd /lab || exit 1
G=/lab/bin/guest.bin

# Again if the kernel skipped an event of one of them: it is lost, and nothing can be compared.
watched() {
	name=$1
	shift
	for _ in 1 2 3 4 5; do
		kvmtimer-trace record -q --detail lr -o "$KT_OUT/$name.tracepoints.data" -- \
			kvmtimer-trace record -q --detail lr --no-tracepoints -o "$KT_OUT/$name.probes.data" -- \
			kvmtimer-trace record -q --detail lr --source ftrace -o "$KT_OUT/$name.ftrace.data" -- "$@" \
			>"$KT_OUT/$name.guest" 2>&1
		for source in tracepoints probes ftrace; do
			kvmtimer-trace report --strict "$KT_OUT/$name.$source.data" >/dev/null 2>&1 || continue 2
		done
		break
	done
}

watched cancelled vmm --timeout 30 $G scenario=seed k=2 rounds=20
watched active vmm --timeout 30 $G scenario=periodic n=50 period=2000 hexit=1
watched vmm vmm --timeout 30 $G scenario=periodic n=50 period=2000 hexit=2
watched ptimer vmm --timeout 60 $G scenario=periodic timer=p n=50 period=2000
watched smp vmm --timeout 60 --vcpus 2 --migrate 7 $G scenario=periodic n=100 period=2000
exit 0
