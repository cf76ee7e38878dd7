#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host: what goes wrong with a recorder.  "faults" is a few of
# each for host.t; the others are one kind of fault many times, for tests/soak.
cd /lab || exit 1
T=/sys/kernel/tracing
G=/lab/bin/guest.bin
# Leaves for user space all the time while its timer fires: what of that ends first in a file
# that was cut, a CPU's stream or that of the exits to user space, is chance.
BUSY="$G scenario=periodic n=1000000 period=2000 exits=2 limit=1000000000"
SHORT="$G scenario=periodic n=1000 period=2000 exits=2"

kt() {
	kvmtimer-trace "$@"
	echo "status $?"
}

# await SECONDS COMMAND...: until the command succeeds; if it does not in time the cell ends here,
# and says so where it is heard even from within a redirected block
exec 7>&2
await() {
	end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -le $end ] || { echo "faults.sh: still not so: $*" >&7; exit 1; }
		sleep 0.1
	done
}

# Also true of one that has ended and that nobody has waited for.
gone() {
	! readlink "/proc/$1/exe" >/dev/null
}

# start FILE OPTIONS...: a recorder with a VM under it, both known by their pids
start() {
	file=$1
	shift
	rm -f "$file" /tmp/vmm.pid
	kvmtimer-trace record -q -o "$file" "$@" -- sh -c "echo \$\$ >/tmp/vmm.pid; exec vmm --timeout 300 $BUSY" \
		>/tmp/recorder.out 2>&1 &
	recorder=$!
	await 120 test -s "$file"
	await 60 test -s /tmp/vmm.pid
}

# The VM outlives a recorder that was killed.
stop_vm() {
	kill "$(cat /tmp/vmm.pid)"
	await 30 gone "$(cat /tmp/vmm.pid)"
}

in_tracefs() {
	echo "instances $(ls $T/instances | grep -c kvmtimer) probes $(grep -c kvmtimer $T/kprobe_events)"
}

# Objects of BPF are freed a moment after their owner is gone.
no_bpf() {
	[ "$(bpf-objects)" = "programs 0 maps 0 links 0" ]
}

kill_recorder() {
	kill -9 $recorder
	wait $recorder
}

# killed NAME SOURCE MS: what is there while it records goes to "leftovers", and what stays
killed() {
	await 30 no_bpf
	start "$KT_OUT/$1.data" --source "$2"
	usleep $(($3 * 1000))
	echo "$1 $2 recording: $(bpf-objects) $(in_tracefs)"
	kill_recorder
	stop_vm
	await 30 no_bpf
	echo "$1 $2 killed: $(bpf-objects) $(in_tracefs)"
}

faults() {
	echo "== unknown pid"; kt record -q -o /tmp/none.data -p 999999
	echo "== no such tracepoint filesystem needed"; kt doctor --json | tail -n 1
	echo "== disk full"
	mkdir -p /tmp/small && mount -t tmpfs -o size=256k small /tmp/small
	kt record -q -o /tmp/small/full.data -- vmm --timeout 60 $SHORT
	cp /tmp/small/full.data "$KT_OUT/full.data"
	echo "== max size"; kt record -q --max-size 128K -o "$KT_OUT/max.data" -- vmm --timeout 60 $SHORT
	for source in bpf ftrace; do
		echo "== rotate $source"
		kt record -q --source $source --max-size 128K --rotate -o "$KT_OUT/rot-$source.data" -- vmm --timeout 60 $SHORT
	done
	echo "== failing command"; kt record -q -o /tmp/f.data -- false
	echo "== pipes"; kt record -q -o /tmp/p.data -- sh -c 'trap; grep SigIgn /proc/$$/status'
	echo "== end"
}

# ---- for tests/soak: each writes its recordings, and how each recorder ended ----

two_busy_vms() {
	vmm --name a --timeout 20000 $BUSY >/dev/null 2>&1 &
	vms=$!
	vmm --name b --vcpus 2 --timeout 20000 $BUSY wfi=1 >/dev/null 2>&1 &
	vms="$vms $!"
}

# kills SOURCE N: each after another time, spread over a second
kills() {
	two_busy_vms
	for i in $(seq "$2"); do
		rm -f /tmp/k.data
		kvmtimer-trace record -q --source "$1" -o /tmp/k.data >/tmp/recorder.out 2>&1 &
		recorder=$!
		await 120 test -s /tmp/k.data
		usleep $((i * 617 % 1000 * 1000))
		kill_recorder
		cp /tmp/k.data "$KT_OUT/$1-$i.data"
	done
	kill $vms
}

# stopped SOURCE DETAIL: five seconds in which nobody drains small buffers
stopped() {
	two_busy_vms
	file=$KT_OUT/$1-$2.data
	kvmtimer-trace record -q --source "$1" --detail "$2" --buffer-size 256K -o "$file" &
	recorder=$!
	await 120 test -s "$file"
	sleep 2
	kill -STOP $recorder
	sleep 5
	kill -CONT $recorder
	sleep 2
	kill -INT $recorder
	wait $recorder
	echo "$1-$2: status $?"
	kill $vms
}

# full SOURCE: a disk that fills up, and one that does while the second file is written
full() {
	mkdir -p /tmp/small
	for options in '' '--max-size 128K --rotate'; do
		mount -t tmpfs -o size=200k small /tmp/small
		kvmtimer-trace record -q --source "$1" $options -o /tmp/small/full.data -- vmm --timeout 60 $SHORT
		echo "$1 $options: status $?"
		for f in /tmp/small/*; do
			cp "$f" "$KT_OUT/$1-${options:+rotated-}${f##*/}"
		done
		umount /tmp/small
	done
}

another_old() {
	old=$(stat -c %i /tmp/r/r.data.old 2>/dev/null)
	[ -n "$old" ] && [ "$old" != "$last" ]
}

# rotated SOURCE N: a copy of each file, made before the next takes its place
rotated() {
	mkdir -p /tmp/r
	last=
	two_busy_vms
	kvmtimer-trace record -q --source "$1" --max-size 256K --rotate -o /tmp/r/r.data >/tmp/recorder.out 2>&1 &
	recorder=$!
	for i in $(seq "$2"); do
		await 120 another_old
		cp /tmp/r/r.data.old "$KT_OUT/$1-$i.data"
		last=$old
	done
	kill -INT $recorder
	wait $recorder
	echo "$1: status $?"
	kill $vms
	cp /tmp/r/r.data "$KT_OUT/$1-last.data"
	rm -r /tmp/r
}

case $1 in
faults)
	faults >"$KT_OUT/faults" 2>&1
	{
		for i in 1 2 3 4 5; do
			killed killed$i bpf $((i * 170))
		done
		killed killed6 ftrace 300
		killed killed7 ftrace 700
		kvmtimer-trace record -q --source ftrace -o /tmp/x.data -- true
		echo "next ftrace start: $(bpf-objects) $(in_tracefs)"
	} >"$KT_OUT/leftovers" 2>&1
	;;
kills)
	kills "$2" "$3"
	;;
stopped)
	for source in bpf ftrace; do
		for detail in line lr; do
			stopped $source $detail
		done
	done >"$KT_OUT/ended" 2>&1
	;;
full)
	for source in bpf ftrace; do
		full $source
	done >"$KT_OUT/ended" 2>&1
	;;
rotated)
	for source in bpf ftrace; do
		rotated $source "$2"
	done >"$KT_OUT/ended" 2>&1
	;;
*)
	echo "faults.sh: no such cell: $1" >&2
	exit 1
	;;
esac
exit 0
