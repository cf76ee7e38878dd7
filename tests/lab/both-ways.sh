#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host whose vgic has tracepoints: two recorders watch the same
# guests, one through the tracepoints, one through probes on functions.
cd /lab || exit 1
G=/lab/bin/guest.bin

both() {
	name=$1
	shift
	kvmtimer-trace record -q --detail lr -o "$KT_OUT/$name.tracepoints.data" -- \
		kvmtimer-trace record -q --detail lr --no-tracepoints -o "$KT_OUT/$name.probes.data" -- "$@" \
		>"$KT_OUT/$name.guest" 2>&1
}

both cancelled vmm --timeout 30 $G scenario=seed k=2 rounds=20
both active vmm --timeout 30 $G scenario=periodic n=50 period=2000 hexit=1
both vmm vmm --timeout 30 $G scenario=periodic n=50 period=2000 hexit=2
both ptimer vmm --timeout 60 $G scenario=periodic timer=p n=50 period=2000
both smp vmm --timeout 60 --vcpus 2 --migrate 7 $G scenario=periodic n=100 period=2000
exit 0
