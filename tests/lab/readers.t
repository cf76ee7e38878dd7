# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2317
# Other people's captures of a real run: what our own recording says, trace.dat (v6, v7
# compressed and not) and text of the same run must say too, up to what ftrace cannot know.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"
peers=$("$top/scripts/lab" debs peers trace-cmd linux-perf bpftrace 2>/dev/null) || skip_all "trace-cmd for arm64 cannot be had"
printf '\027\010\104tracing' >"$tmp/probe.dat"
"$kt" report "$tmp/probe.dat" 2>&1 | grep -q 'built without' && skip_all "built without libtracecmd"

events=$("$kt" doctor "$top/tests/text/exclude-guest.txt" | sed -n 's/^ *\(-e [a-z_]*:[a-z0-9_]*\).*/\1/p' | tr '\n' ' ')

# For awk, on a dump: who() a vCPU is, called by its thread, or its handle where none is known
# shellcheck disable=SC2016 # awk's variables
who='/^ident/ { for (i = 3; i <= NF; i++) { split($i, f, "="); if (f[1] == "tid") tid[$2] = f[2]; if (f[1] == "vcpu_id") id[$2] = f[2] } }
	function who(vcpu) { return tid[vcpu] ? tid[vcpu] "." id[vcpu] : vcpu }
'

# What ftrace cannot know: handles and pointers, offsets of counters, who masks interrupts,
# whole syndromes, the hrtimer's own address where the kernel hides it; the end of a VM.
# What differs by nature: the clock is read at another place, so times are left out.
#
# per_vcpu CELL DUMP: the sequence of each vCPU and context.  The exit is told before the vCPU
# can be put, but on 7.x its tracepoint may be preempted: the put comes between two tracers then.
per_vcpu() {
	awk -v cell="$1" "$context $who"'
		/^[0-9]/ && $4 !~ /^(offset|vcpu_gone|wire|lr|irqchip|reset)/ {
			out = $4
			for (i = 5; i <= NF; i++)
				# registers of an emulated timer are known to BPF only
				if (!($4 ~ /^emulate/ && $i ~ /^(ctl|cval_ticks)/) && $i !~ /^(esr|flags|daif|ptr|expires_ns|offset_gen|emul_|reason|traced_vcpu)/) out = out " " $i
			print who($3) "/" (cell ~ /^7/ && $4 == "exit" ? "preemptible" : context($4)), out
		}' "$2" | sort -s -k1,1 | grep -v '^tid:'
}

# What every form must say of the run: the verdict by each rule, each lane's steps, how often
# each line rose and why the guest was left.
#
# Only our own recording has PSTATE (the masked lane), the counter's frequency and offsets
# (the wire, and the rules that judge by deadline), why a vCPU was put, resets, what the
# kernel's KVM is like and whether a VM has a vgic.  Only theirs has sched_switch: a vCPU's
# thread that sleeps before it first runs.
answers() {
	verdicts "$1" | grep -Ev '^(I1|I5|I16|I18|I25|L1|E1|E4|D[0-9]+) '
	lanes "$1" | grep -Ev ' (masked|[vp]timer wire) ' | awk '
		$2 != "vcpu" { print; next } / guest$/ { ran[$1] = 1 } $1 in ran'
	"$kt" report --json "$1" | tr -d ' \n' | sed 's/"exits":\[/\n/; s/{"timer":/\n&/g; s/},{/\n/g' |
		sed -nE 's/.*"timer":"([a-z]*)".*"rises":([0-9]+).*/\1 rose \2/p; s/.*"count":([0-9]+).*"cause":"([a-z-]+)".*/left \1 \2/p' | sort
}

# An exit is irq-timer if the timer's host interrupt came before the tracepoint of the exit,
# which runs with interrupts on: one that comes between two tracers of that exit makes it
# irq-timer to the later of them only.  So both kinds of IRQ exit are compared as one, and
# irq-timer may differ by no more than the interrupts that came on another side of an exit.
as_one() {
	awk '$3 ~ /^irq-/ { n += $2; next } { print } END { print "left " n + 0 " irq" }' "$1"
}

# irq_exits DUMP: each host interrupt of a timer, and how often its vCPU had left the guest before
irq_exits() {
	awk "$who"'
		/^[0-9]/ { vcpu = who($3) }
		/^[0-9]/ && $4 == "exit" { left[vcpu]++ }
		/^[0-9]/ && $4 ~ /^map[.].*host-irq/ { print vcpu, ++irq[vcpu], left[vcpu] + 0 }' "$1" | sort
}

# same_split NAME OURS THEIRS
same_split() {
	local ours theirs moved
	ours=$(sed -n 's/^left \([0-9]*\) irq-timer$/\1/p' "$2.answers")
	theirs=$(sed -n 's/^left \([0-9]*\) irq-timer$/\1/p' "$3.answers")
	moved=$(diff "$2.irqs" "$3.irqs" | grep -c '^<')
	[ $((ours > theirs ? ours - theirs : theirs - ours)) -le "$moved" ]
	ok $? "$1: as many exits by the timer, but for interrupts inside the tracepoint of an exit" \
		"$ours and $theirs, $moved inside"
}

check_run() {
	local cell=$1 d=$2 name
	"$kt" dump "$d/ours.data" >"$d/ours.dump"
	per_vcpu "$cell" "$d/ours.dump" >"$d/ours"
	[ -s "$d/ours" ]
	ok $? "$cell: our own recording has events"
	for name in v6.dat v7.dat v7-none.dat trace.txt; do
		"$kt" dump "$d/$name" >"$d/$name.dump"
		per_vcpu "$cell" "$d/$name.dump" >"$d/$name.seq"
		diff -u "$d/ours" "$d/$name.seq" >"$d/diff"
		ok $? "$cell: $name: the sequence of each vCPU is our recording's" "$(head -n 30 "$d/diff")"
		"$kt" report --json "$d/$name" >"$d/json"
		is "$(number "$d/json" unattributed_timer)" 0 "$cell: $name: every timer event is attributed"
		is "$(grep -c '"irqchip"' "$d/json")" 2 "$cell: $name: two VMs"
		is "$(number "$d/json" lost)" 0 "$cell: $name: nothing lost"
		"$kt" doctor "$d/$name" >"$d/doctor"
		is $? 0 "$cell: $name: doctor is content" "$(cat "$d/doctor")"
	done
	answers "$d/ours.data" >"$d/ours.answers"
	as_one "$d/ours.answers" >"$d/ours.one"
	irq_exits "$d/ours.dump" >"$d/ours.irqs"
	[ "$(grep -c ' holds$' "$d/ours.answers")" -ge 9 ] && [ "$(grep -c 'rose\|left' "$d/ours.answers")" -ge 8 ]
	ok $? "$cell: our own recording answers" "$(grep 'holds\|rose\|left' "$d/ours.answers")"
	for name in v6.dat v7.dat v7-none.dat trace.txt; do
		answers "$d/$name" >"$d/$name.answers"
		as_one "$d/$name.answers" >"$d/$name.one"
		diff "$d/ours.one" "$d/$name.one" >"$d/diff"
		ok $? "$cell: $name: report, timeline and check give the same $(wc -l <"$d/ours.one") answers" "$(head -n 30 "$d/diff")"
		irq_exits "$d/$name.dump" >"$d/$name.irqs"
		same_split "$cell: $name" "$d/ours" "$d/$name"
		"$kt" check "$d/$name" >"$d/check" 2>&1
		is $? 0 "$cell: $name: check finds it conforming" "$(cat "$d/check")"
	done
	cmp -s "$d/v6.dat.seq" "$d/v7.dat.seq" && cmp -s "$d/v7.dat.seq" "$d/v7-none.dat.seq"
	ok $? "$cell: v6, v7 and v7 uncompressed tell the same"
	"$kt" report "$d/v7.dat" >"$d/a"
	"$kt" report - <"$d/v7.dat" >"$d/b"
	is "$(cat "$d/a")" "$(cat "$d/b")" "$cell: v7 from standard input"
	# shellcheck disable=SC2002 # a file on standard input is no pipe
	cat "$d/v7.dat" | "$kt" report - >"$d/b"
	is "$(cat "$d/b")" "$(cat "$d/a")" "$cell: v7 through a pipe"
	is "$(head -c 10 <("$kt" dump "$d/report.txt"))" "# kvmtimer" "$cell: trace-cmd report's text is read"
	like "$("$kt" report "$d/v7.dat")" '^vtimer +host-to-line' "$cell: hops come out of trace.dat"
}

# Files that somebody made to harm: refused with a reason, quickly, whatever libtraceevent does.
hostile() {
	local d=$1 out status n=0 clean=0 crashed=0
	# A format that libtraceevent 1.7 to 1.9 crash on: a field that is not there, in __print_symbolic.
	LC_ALL=C perl -0pe 's/__print_symbolic\(REC->ret/__print_symbolic(REC->nix/' "$d/v6.dat" >"$tmp/symbolic.dat"
	cmp -s "$d/v6.dat" "$tmp/symbolic.dat"
	is $? 1 "hostile: the format was changed"
	out=$(timeout 60 "$kt" report "$tmp/symbolic.dat" 2>&1)
	status=$?
	{ [ $status -eq 1 ] && grep -q 'cannot be read' <<<"$out"; } || [ $status -eq 0 ]
	ok $? "hostile: a format that crashes libtraceevent is refused" "status $status: $out"
	for seed in $(seq 40); do
		LC_ALL=C perl -e '
			local $/; srand $ARGV[1]; open F, "<", $ARGV[0]; binmode F; my $b = <F>;
			my $most = (64, 4096, 200000, length $b)[rand 4];
			my $changes = (1, 8, 64)[rand 3];
			substr($b, rand $most, 1) = chr(rand 256) for 1 .. $changes;
			$b = substr($b, 0, rand length $b) if rand() < .2;
			binmode STDOUT; print $b' "$d/v6.dat" "$seed" >"$tmp/mutant.dat"
		out=$(timeout 60 "$kt" report "$tmp/mutant.dat" 2>&1)
		status=$?
		n=$((n + 1))
		case $status in
		0) clean=$((clean + 1)) ;;
		1) grep -qE 'cannot be read|unknown format' <<<"$out" && clean=$((clean + 1)) ;;
		esac
		[ "${out#*crashed (}" = "$out" ] || crashed=$((crashed + 1))
	done
	is $clean $n "hostile: $n mutants of a trace.dat are read or refused ($crashed crashed the child)"
	head -c 300000 "$d/v7.dat" >"$tmp/cut.dat"
	out=$("$kt" report "$tmp/cut.dat" 2>&1)
	is $? 1 "hostile: a cut trace.dat is refused"
	like "$out" 'cannot be read' "hostile: and it is said"
}

check_cell() {
	local cell=$1 d=$tmp/$1 kernel cpu gic
	IFS=: read -r kernel cpu gic <<<"$cell"
	lab --kernel "$kernel" --cpu "$cpu" --gic "$gic" --rootfs "$peers" --out "$d" --env "EVENTS=$events" \
		--add "$top/tests/lab/readers.sh" -- sh /lab/bin/readers.sh >"$tmp/log" 2>&1
	ok $? "$cell: the host booted and acted" "$(cat "$tmp/log")"
	keep "$d"
	[ ! -s "$d/v7.dat" ] || check_run "$cell" "$d"
}

cells=${KT_CELLS:-'6.1:max:3 6.12:max:3 6.12:cortex-a72:2 7.x:max:3'}
for cell in $cells; do
	twice check_cell "$cell"
done
hostile "$tmp/${cells%% *}"
done_testing
