# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2317
# kernel-patch/linux-6.12's tracepoints, taken by BPF and by ftrace, and the probes that
# do without them show the same list registers, on the same run.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"
image=$("$top/scripts/kernel-test" --cached tracepoints) ||
	skip_all "no patched kernel: scripts/kernel-test --image tracepoints builds one (10 minutes)"

# How many mapped interrupts (state bit 0x10) were in a list register at flush, the GIC saying "inactive" (0x40 off).
inactive() {
	local state n=0
	while read -r state; do
		[ $((state & 0x50)) -ne $((0x10)) ] || n=$((n + 1))
	done < <("$kt" dump "$1" | awk '$4 ~ /^lr.*flush/ && $5 != "lr=0" { print substr($6, 7) }')
	echo "$n"
}

check_cell() {
	local cell=$1 d=$tmp/$1 cpu gic name source probes a what
	IFS=: read -r cpu gic <<<"$cell"
	act "$cell" "$d" --kernel "$image" --cpu "$cpu" --gic "$gic" --add "$top/tests/lab/both-ways.sh" -- \
		sh /lab/bin/parts.sh both-ways || return
	recorded_again "$cell" "$d"
	d=$d/both-ways
	for name in cancelled active vmm ptimer smp; do
		probes=$d/$name.probes
		unlike "$("$kt" dump "$probes.data" | grep '^fact capture.probe.flush=')" '="(raw_tp|tracepoint)"' "$cell: $name: recorded without tracepoints"
		for source in tracepoints ftrace; do
			a=$d/$name.$source what="$cell: $name: $source"
			like "$("$kt" dump "$a.data" | grep '^fact capture.probe.flush=')" '="(raw_tp|tracepoint)"' "$what: and with"
			tell_the_same "$what and without" --least 20 --events --kind lr --steps --lane lr "$probes.data" "$a.data"
			# Only the tracepoints can see this: at flush a mapped interrupt's list register stands on an active PPI.
			is "$(inactive "$a.data")" 0 "$what: the GIC holds each mapped interrupt active that is in a list register"
		done
	done
}

for cell in max:3 cortex-a72:2 cortex-a72:3; do
	check_cell "$cell"
done
done_testing
