# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# What a production host must be able to rely on: nohz_full attribution, no effect
# on the guest, and recordings that survive faults.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"

# ---- nohz_full: a soft timer of one VM fires on the CPU of another ----

lab --cpu cortex-a72 --append 'nohz_full=1 rcu_nocbs=1' --out "$tmp/nohz" -- sh /lab/bin/cell.sh nohz >"$tmp/log" 2>&1
ok $? "nohz_full: the host booted and acted" "$(cat "$tmp/log")"
"$kt" dump "$tmp/nohz/nohz.data" >"$tmp/nohz.txt"
vm_a=$(awk '/^ident/ && /comm="a\/0"/ { print $2 }' "$tmp/nohz.txt" | tail -n 1)
foreign=$(awk -v a="$vm_a" '$4 ~ /^hrtimer_expire/ && $3 == a && $2 == "cpu0"' "$tmp/nohz.txt" | wc -l)
[ "$foreign" -gt 0 ]
ok $? "nohz_full: soft timers of VM a, which runs on CPU 1, fired on CPU 0 ($foreign times)"
wrong=$(awk '$4 ~ /^hrtimer_expire/ { who[$2] = $3 }
	$4 ~ /^update_irq.ptimer.soft-timer/ && who[$2] != $3' "$tmp/nohz.txt" | wc -l)
is "$wrong" 0 "nohz_full: each level published from a soft timer belongs to that timer's vCPU"
"$kt" report --json "$tmp/nohz/nohz.data" >"$tmp/nohz.json"
updates nohz_full "$tmp/nohz.txt" "$tmp/nohz/nohz.by-vcpu" "$(kind_count "$tmp/nohz.json" lost_by_kind update_irq)"

# ---- the guest does not notice: exits with and without the recorder, by instruction count ----

lab --icount --out "$tmp/effect" -- sh /lab/bin/cell.sh effect >"$tmp/log" 2>&1
ok $? "effect: the host booted and acted" "$(cat "$tmp/log")"
mapfile -t exits < <(sed -n 's/^vmm: stats exits=\([0-9]*\).*/\1/p' "$tmp/effect/effect")
for i in 0 2; do
	loop=$([ $i = 0 ] && echo hypercalls || echo 'timer interrupts')
	without=${exits[$i]:-0} with=${exits[$((i + 1))]:-1}
	[ "$without" -gt 20000 ] && [ $((with > without ? with - without : without - with)) -le $((without / 1000)) ]
	ok $? "effect: 20,000 $loop: $without exits without, $with with the recorder (at most 0.1 % apart)" \
		"$(cat "$tmp/effect/effect")"
done

# ---- faults ----

# judged FILE STATUS NAME: what check says of a recording with something missing.  The kernel
# conforms: whatever is missing, a violation is never the answer.
judged() {
	"$kt" check "$1" >"$tmp/verdict" 2>&1
	like "$?" "^($2)\$" "$3: check ends with $2" "$(tail -n 12 "$tmp/verdict")"
}

# cut_off NAME: the reason that check gave just now.  Where the kernel skipped an event that comes first.
cut_off() {
	local why='the recording was cut off'
	! grep -qE '^events.* [1-9][0-9,]* lost' "$tmp/verdict" || why='events were lost'
	like "$(head -n 1 "$tmp/verdict")" "^INCONCLUSIVE: $why" "$1: check says why"
}

lab --add "$top/tests/lab/faults.sh" --add "$build/lab/bpf-objects" --out "$tmp/faults" -- \
	sh /lab/bin/faults.sh faults >"$tmp/log" 2>&1
ok $? "faults: the host booted and acted" "$(cat "$tmp/log")"
keep "$tmp/faults"
text=$(tr '\n' ' ' <"$tmp/faults/faults")
like "$text" 'there is no process 999999[^=]*status 1' "unknown pid"
like "$text" 'disk full [^=]*No space left[^=]*status 1' "a full disk is said, status 1"
like "$text" 'max size .*status 0 == rotate' "--max-size ends well"
like "$text" '== rotate bpf .*status 0 == rotate ftrace .*status 0 == failing' "--rotate goes on"
like "$text" 'failing command [^=]*the command failed[^=]*status 1' "a failing command is passed on"
like "$text" '== pipes SigIgn:.[0-9a-f]*[02468ace][0-9a-f]{3} status 0' "a command under record may die of a closed pipe as anywhere"
like "$("$kt" report "$tmp/faults/full.data")" 'cut' "full disk: every whole block reads back"
judged "$tmp/faults/full.data" 3 "full disk"
cut_off "full disk"
[ "$(stat -c %s "$tmp/faults/max.data")" -le 150000 ]
ok $? "--max-size: the file keeps to it"
judged "$tmp/faults/max.data" '0|3' "--max-size"
for source in bpf ftrace; do
	rot=$tmp/faults/rot-$source.data
	[ -s "$rot.old" ] && "$kt" report --strict "$rot.old" >/dev/null
	ok $? "--rotate, $source: the older file is whole"
	like "$("$kt" dump "$rot")" '^ident .*comm="vmm/0"' "--rotate, $source: the newer file knows who is who"
	judged "$rot.old" '0|3' "--rotate, $source: the older file"
	judged "$rot" '0|3' "--rotate, $source: the newer file"
done
for i in 1 2 3 4 5 6 7; do
	"$kt" report "$tmp/faults/killed$i.data" >"$tmp/out" 2>&1
	is "$?,$(grep -c 'file is cut' "$tmp/out")" "0,1" "killed while recording ($i): reads back to its last whole block"
	judged "$tmp/faults/killed$i.data" 3 "killed while recording ($i)"
	cut_off "killed while recording ($i)"
done

# What a recorder that was killed leaves in the kernel.  The count while it records shows that
# there is something to be left.
left=$(cat "$tmp/faults/leftovers")
is "$(grep -cE '^killed[1-5] bpf recording: programs [1-9][0-9]* maps [1-9][0-9]* links [1-9]' "$tmp/faults/leftovers")" 5 \
	"while recording with BPF there are programs, maps and links" "$left"
is "$(grep -c '^killed[1-5] bpf killed: programs 0 maps 0 links 0 instances 0 probes 0$' "$tmp/faults/leftovers")" 5 \
	"killed: nothing of BPF is left" "$left"
is "$(grep -cE '^killed[67] ftrace recording: .* instances 1 probes [1-9]' "$tmp/faults/leftovers")" 2 \
	"while recording with ftrace there are an instance and probes" "$left"
like "$left" 'next ftrace start: programs 0 maps 0 links 0 instances 0 probes 0$' \
	"what a killed recorder left in tracefs the next one removes" "$left"

# ---- refusals ----

lab --append 'lsm=lockdown,capability' --out "$tmp/refusals" -- sh /lab/bin/cell.sh refusals >"$tmp/log" 2>&1
ok $? "refusals: the host booted and acted" "$(cat "$tmp/log")"
text=$(tr '\n' ' ' <"$tmp/refusals/refusals")
like "$text" 'capability [^=]*missing capability CAP_BPF: run as root[^=]*status 1' "no capability: which, and what to do"
like "$text" '== kvm [^=]*no KVM on this host[^=]*status 1' "no /dev/kvm: said"
like "$text" '== btf [^=]*CONFIG_DEBUG_INFO_BTF=y *status 1' "no BTF: which kernel option"
like "$text" '== auto .*BPF cannot be used here: no BTF.*trying ftrace instead.*status 0 == lockdown' "auto: says why not BPF, and takes ftrace"
"$kt" dump "$tmp/refusals/no-btf.data" >"$tmp/no-btf.txt"
"$kt" report --json "$tmp/refusals/no-btf.data" >"$tmp/no-btf.json"
like "$(cat "$tmp/no-btf.json")" '"capture.source":"ftrace"' "no BTF: the recording says where it comes from"
is "$(awk '$2 ~ /^cpu/ && $3 ~ /^(tid|-)/ && $4 !~ /soft-timer/ { n++ } END { print n + 0 }' "$tmp/no-btf.txt")" 0 \
	"no BTF: all but soft timers is attributed"
updates "no BTF" "$tmp/no-btf.txt" "$tmp/refusals/no-btf.by-vcpu" "$(kind_count "$tmp/no-btf.json" lost_by_kind update_irq)"
like "$text" '== lockdown [^=]*lockdown is in confidentiality mode.*status 1 == end' "lockdown: its mode, and what to do"
unlike "$text" 'end /tmp/r.data' "a refused recording leaves no file"
done_testing
