#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host whose vgic has tracepoints: three recorders watch the same
# guests: BPF on the tracepoints, BPF on the functions, and ftrace on the tracepoints.
cd /lab || exit 1
G=/lab/bin/guest.bin

. /lab/bin/takes.sh

watched() {
	name=$1 files=
	for source in tracepoints probes ftrace; do
		files="$files $KT_OUT/$name.$source.data"
	done
	shift
	kvmtimer-trace record -q --detail lr -o "$KT_OUT/$name.tracepoints.data" -- \
		kvmtimer-trace record -q --detail lr --no-tracepoints -o "$KT_OUT/$name.probes.data" -- \
		kvmtimer-trace record -q --detail lr --source ftrace -o "$KT_OUT/$name.ftrace.data" -- "$@" \
		>"$KT_OUT/$name.guest" 2>&1
	status=$?
	got_through "$name" $status
}

lossless watched cancelled vmm --timeout 30 $G scenario=seed k=2 rounds=20
lossless watched active vmm --timeout 30 $G scenario=periodic n=50 period=2000 hexit=1
lossless watched vmm vmm --timeout 30 $G scenario=periodic n=50 period=2000 hexit=2
lossless watched ptimer vmm --timeout 60 $G scenario=periodic timer=p n=50 period=2000
lossless watched smp vmm --timeout 60 --vcpus 2 --migrate 7 $G scenario=periodic n=100 period=2000
exit 0
