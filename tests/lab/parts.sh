#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host: the parts of a cell one after the other, each with a folder of its own
# in $KT_OUT, while `stall` notes for how long the machine below stood still.
all=$KT_OUT
# A guest or recorder that a signal ends is told by the kernel, with where it was.
echo 1 >/proc/sys/debug/exception-trace
stall "$all/stall" &
# KVM patches the scheduler when its first VM comes and when its last one goes, to be told when a
# vCPU is switched out and in.  An emulated CPU may run one of the two places patched and the other
# not yet: a vCPU was put and not loaded again, and ran so (I21, in one recording of fifty).  With
# a VM that stays nothing is patched.
vmm --hold &
for part; do
	export KT_OUT="$all/$part"
	mkdir -p "$KT_OUT"
	began=$(cut -d . -f 1 /proc/uptime)
	case $part in
	matrix | conform) sh /lab/bin/cell.sh "$part" ;;
	*) sh "/lab/bin/$part.sh" ;;
	esac || echo "$part: status $?" >>"$KT_OUT/failed"
	echo "$part: $(($(cut -d . -f 1 /proc/uptime) - began)) s"
done
dmesg | grep -E 'unhandled (exception|signal)' >>"$all/failed"
exit 0
