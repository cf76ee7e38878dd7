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

# Each vCPU's list registers of each timer, where one names the interrupt, without times.
words() {
	"$kt" dump "$1" | awk '/^ident/ { for (i = 3; i <= NF; i++) if ($i ~ /^vcpu_id=/) id[$2] = $i }
		$4 ~ /^lr\./ && $5 != "lr=0" { print id[$3], $4, $5 }' | sort -s -k 1,1
}

# Steps of the LR lanes, one lane after the other.
lane() {
	"$kt" timeline --steps --from 0s --width 100 "$1" |
		sed -nE 's/^\+[^ ]+ +([0-9]+\.[0-9]+) ([vp]timer) lr +(.*) -> (.*) by .*/\1 \2 \3 -> \4/p' | sort -s -k 1,2
}

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
	lab --kernel "$image" --cpu "$cpu" --gic "$gic" --out "$d" --add "$top/tests/lab/both-ways.sh" -- \
		sh /lab/bin/both-ways.sh >"$tmp/log" 2>&1
	ok $? "$cell: the host booted and acted" "$(cat "$tmp/log")"
	for name in cancelled active vmm ptimer smp; do
		probes=$d/$name.probes
		unlike "$("$kt" dump "$probes.data" | grep '^fact capture.probe.flush=')" '="(raw_tp|tracepoint)"' "$cell: $name: recorded without tracepoints"
		words "$probes.data" >"$probes.words"
		lane "$probes.data" >"$probes.lane"
		for source in tracepoints ftrace; do
			a=$d/$name.$source what="$cell: $name: $source"
			like "$("$kt" dump "$a.data" | grep '^fact capture.probe.flush=')" '="(raw_tp|tracepoint)"' "$what: and with"
			words "$a.data" >"$a.words"
			[ "$(wc -l <"$probes.words")" -gt 20 ] && cmp -s "$a.words" "$probes.words"
			ok $? "$what: $(wc -l <"$a.words") list registers are the same both ways" "$(diff "$probes.words" "$a.words")"
			lane "$a.data" >"$a.lane"
			[ "$(wc -l <"$probes.lane")" -gt 10 ] && cmp -s "$a.lane" "$probes.lane"
			ok $? "$what: the LR lane's $(wc -l <"$a.lane") steps are the same both ways" "$(diff "$probes.lane" "$a.lane")"
			# Only the tracepoints can see this: at flush a mapped interrupt's list register stands on an active PPI.
			is "$(inactive "$a.data")" 0 "$what: the GIC holds each mapped interrupt active that is in a list register"
		done
	done
}

for cell in max:3 cortex-a72:2 cortex-a72:3; do
	twice check_cell "$cell"
done
done_testing
