#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host with Debian's trace-cmd: one run of two VMs, recorded at
# once by us, by trace-cmd, and as text of a tracefs instance.  EVENTS is the
# line that `doctor` recommends.
T=/sys/kernel/tracing
G=/lab/bin/guest.bin
I=$T/instances/kt
. /lab/bin/takes.sh
name=readers files=$KT_OUT/ours.data

# watched OPTIONS-OF-TRACE-CMD...: what is lost cannot be compared
watched() {
	mkdir $I
	echo mono >$I/trace_clock
	echo 20000 >$I/buffer_size_kb
	echo 1 >$I/options/record-tgid 2>/dev/null || echo 1 >$T/options/record-tgid
	for e; do
		[ "$e" = -e ] || echo 1 >"$I/events/$(echo "$e" | tr : /)/enable"
	done
	kvmtimer-trace record -q -o "$files" -- trace-cmd record -q -C mono -b 20000 "$@" -o "$KT_OUT/v7.dat" sh -c "
		vmm --name a --vcpus 2 --timeout 60 $G scenario=periodic n=20 period=3000 & a=\$!
		vmm --name b --vcpus 1 --timeout 60 $G scenario=wfi n=4 us=20000 && wait \$a || echo 'readers: a guest failed' >>$KT_OUT/failed"
	status=$?
	got_through readers $status
	echo 0 >$I/tracing_on
	cat $I/trace >"$KT_OUT/trace.txt"
	rmdir $I
}

lossless watched $EVENTS
trace-cmd convert -i "$KT_OUT/v7.dat" -o "$KT_OUT/v6.dat" --file-version 6 >/dev/null 2>&1
trace-cmd convert -i "$KT_OUT/v7.dat" -o "$KT_OUT/v7-none.dat" --file-version 7 --compression none >/dev/null 2>&1
trace-cmd report -l -t -i "$KT_OUT/v7.dat" >"$KT_OUT/report.txt" 2>/dev/null
exit 0
