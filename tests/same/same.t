# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The tool that compares two recordings of one run: bpf.events and ftrace.events tell one run and
# differ only in what they may.  Each test changes the second by an edit or two.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

dir=$(dirname "$0")
same=$build/same
out=

# told EDIT...: the ftrace recording, edited by sed, beside the BPF one; lines are in time order again
told() {
	sed "$@" "$dir/ftrace.events" >"$tmp/edited"
	{ grep -v '^[0-9]' "$tmp/edited"; grep '^[0-9]' "$tmp/edited" | sort -s -n; } >"$tmp/told.events"
	! cmp -s "$dir/ftrace.events" "$tmp/told.events" || ok 1 "the edit changes something: $*"
}

# the_same NAME; differs PATTERN NAME [OPTIONS...]
the_same() {
	out=$("$same" "$dir/bpf.events" "$tmp/told.events" 2>&1)
	is $? 0 "$1" "$out"
}

differs() {
	local pattern=$1 name=$2
	shift 2
	out=$("$same" "$@" "$dir/bpf.events" "$tmp/told.events" 2>&1)
	is $? 1 "$name: found" "$out"
	like "$out" "$pattern" "$name: and said"
}

# Equal, and what may differ is counted.
out=$("$same" "$dir/bpf.events" "$dir/ftrace.events")
is $? 0 "two sources tell one run" "$out"
like "$out" '^the same: 29 events, 22 steps, [0-9]+ verdicts, [0-9]+ counts$' "how much was compared"
like "$out" '^  4 exit: field daif: ' "what differs is counted, with the reason"
like "$out" '^  1 offset: .* of the physical timer' "and so is what one of them cannot tell"
out=$("$same" "$dir/bpf.events" "$dir/bpf.events")
is "$?,$(wc -l <<<"$out")" "0,1" "a recording is the same as itself, and needs no tolerance" "$out"
"$kt" dump "$dir/bpf.events" >"$tmp/dumped.events"
"$same" "$dir/bpf.events" "$tmp/dumped.events" >/dev/null
is $? 0 "and as its dump"

# A field that may differ between two sources may not between two of one source.
sed 's/daif=0x2/daif=0x0/' "$dir/bpf.events" >"$tmp/told.events"
differs '^vCPU 0, thread 101: - .* exit .*daif=0x2' "PSTATE, of one source twice" --events
sed 's/ of the physical//; /offset.ptimer/d' "$dir/bpf.events" >"$tmp/told.events"
differs '^vCPU 0, thread 101: - .* offset.ptimer' "an offset of the physical timer, of one source twice" --events

# Each allowed field is allowed as far as its row goes, and no further.
told 's/esr=0x5a000000/esr=0x5a000123/'
the_same "the syndrome below its class may differ"
told 's/esr=0x5a000000/esr=0x56000000/'
differs '^vCPU 0, thread 101: \+ .* exit .*esr=0x56000000' "another exception class"
told 's/\(save.*\) flags=2/\1 flags=10/'
the_same "that the reason of a put is known may differ"
told 's/\(save.*\) flags=2/\1 flags=1/'
differs ' save.vtimer .*flags=1' "blocked or preempted"
told 's/\(exit.*\) flags=0/\1 flags=1 daif=0x1/'
the_same "PSTATE may differ where ftrace is one of them"

# Fields that may not.
told '0,/level=1/s/level=1/level=0/'
differs ' update_irq.vtimer.host-irq irq=27' "another level"
told 's/wait_ns=100/wait_ns=101/'
differs ' wakeup wait_ns=101' "another wait"
told 's/pc=0x80000014/pc=0x80000018/'
differs ' entry pc=0x80000018' "another place in the guest"
told '/save/s/cpu0/cpu1/'
differs ' cpu1 .* save' "another CPU"
told '/wakeup/s/0x1 /0x2 /'
differs 'vCPU 1, thread 102: \+ .* wakeup' "another vCPU"
told '/save/s/vtimer/ptimer/'
differs 'save.ptimer' "another timer"
told '/update_irq.vtimer.host-irq/s/host-irq/soft-timer/'
differs 'update_irq.vtimer.soft-timer' "another context"
told 's/^1000033050 cpu0/1000033050 cpu1/'
differs 'cpu1 .* hrtimer_expire' "an interrupt on another CPU than where it was"

# An event too few or too many.
for kind in entry exit wfx wakeup save restore map update_irq vgic_update hrtimer_expire offset; do
	told "0,/ ${kind}[ .]/{/ ${kind}[ .]/d}"
	differs "^vCPU ., thread 10.: - .* ${kind}[ .]" "$kind is missing" --events
done
told '/wfx/{p;s/^1000014050/1000014060/}'
differs '^vCPU 0, thread 101: \+ 1000014060 cpu0 .* wfx' "an event told twice" --events
told '/ 0x2 /d'
differs '^vCPU 1, thread 102: only the first has it, with 6 events' "a vCPU is missing"
told '/^1/d'
differs '^0 events in common are too few' "nothing told"
told '/wfx/d'
differs '^28 events in common are too few: 100 were asked for' "fewer than were asked for" --least 100
differs '^there is nothing to compare' "no lane to compare" --steps --lane user

# An interrupt between two observers of an exit: to the second it came first.
told '/ exit pc=0x80000004/s/^1000011050/1000009050/'
the_same "an exit may stand on the other side of an interrupt"
like "$out" '^  1 exit: on the other side of an interrupt: ' "it is one, though the interrupt told three events"
like "$out" 'differ by these orders and times alone' "and what follows from it is counted"
told '/ exit pc=0x80000004/s/^1000011050/1000009050/; s/release=7.2.0/release=6.1.0/'
the_same "on every kernel"
told '/ exit pc=0x80000004/s/^1000011050/1000010120/'
the_same "also where only a part of the interrupt was told before"
told '/host-irq/s/^100001/100000/; /0x1 entry pc=0x80000000/s/^1000007050/1000011000/'
differs '^vCPU 0, thread 101: on the other side of .* map.-.host-irq' "an interrupt on the other side of an entry" --events
told '/host-irq/s/^10000100\(.\)50/10000121\150/; s/^10000101\(.\)0 \(.*host-irq\)/10000121\10 \2/; s/^1000010250/1000012250/'
differs '^vCPU 0, thread 101: on the other side of .*' "an interrupt on the other side of an exit and an entry" --events
told '/update_irq.vtimer.host-irq/s/^1000010150/1000010350/'
differs 'update_irq.vtimer.host-irq' "the events of an interrupt among themselves" --events

# Nothing orders an interrupt on another CPU.
told 's/^1000033050/1000035950/'
the_same "a soft timer on another CPU may fire on the other side of an exit and an entry"
like "$out" '^  1 entry: on the other side of an interrupt on another CPU' "which is counted"

# Preempted between two observers: to the second it came before the put, or behind the load.
told '/ wfx /s/^1000014050/1000021950/'
the_same "on 7.x an event may stand on the other side of a put and the load after it"
like "$out" '^  1 wfx: on the other side of a put and the load after it' "which is counted"
told '/ wakeup /s/^1000022050/1000014950/'
the_same "in both directions"
told '/ wfx /s/^1000014050 cpu0/1000021950 cpu1/'
the_same "and on another CPU, as the load may have been there"
told '/ wfx /s/^1000014050/1000021950/; s/release=7.2.0/release=6.12.0/'
sed 's/release=7.2.0/release=6.12.0/' "$dir/bpf.events" >"$tmp/older.events"
out=$("$same" --events "$tmp/older.events" "$tmp/told.events")
is $? 1 "before 7.0 it may not" "$out"
told '/ wfx /s/^1000014050/1000019950/'
differs '- .* wfx ' "behind a put, before the load" --events
told '/ wakeup /s/^1000022050/1000020090/'
differs '\+ 1000020090 .* wakeup' "before a part of a load" --events
told '/ exit pc=0x80000010/s/^1000013050/1000021950/'
differs '- .* exit pc=0x80000010' "an exit, which is told with preemption off" --events
told '/ wfx /s/^1000014050/1000023950/'
differs '- .* wfx ' "and past an entry" --events
told '/ save/s/^1000016050/1000014950/'
differs '- .*(map|save)' "a save before its map" --events

# Lanes, verdicts and counts, each alone.
told 's/\(update_irq.*\) level=1/\1 level=0/'
differs '^vCPU 0, thread 101: vtimer line: step [0-9]+ of ' "another lane" --steps
differs '^vCPU 0, thread 101: vtimer line: ' "only that lane" --steps --lane line
"$same" --steps --lane vcpu "$dir/bpf.events" "$tmp/told.events" >/dev/null
is $? 0 "and not the others"
differs '^vCPU 0, thread 101: vtimer rose: - 1, \+ 0' "another number of rises" --counts
told '/ident 0x1/s/irq=30,27/irq=30,26/'
differs '^[A-Z][0-9]+ [a-z-]+: - holds, \+ violated' "another verdict" --verdicts
"$same" --events --steps --counts "$dir/bpf.events" "$tmp/told.events" >/dev/null
is $? 0 "of the same events"
told '/ exit pc=0x80000004/d; / entry pc=0x80000004/d'
differs '^vCPU 0, thread 101: exits: - 3, \+ 2' "another count" --counts
differs '^VM 1: irq-timer: - 1, \+ 0' "another cause" --counts

# Only some kinds.
told '/wfx/d'
"$same" --kind exit --kind entry --events "$dir/bpf.events" "$tmp/told.events" >/dev/null
is $? 0 "--kind: others are not looked at"
differs 'wfx' "--kind: these are" --kind wfx --events

# Of lossy recordings nothing can be said.
cp "$dir/ftrace.events" "$tmp/told.events"
echo 'loss stream=0 from=1000025100 until=1000025200 exit=3' >>"$tmp/told.events"
differs 'lost 3 events' "lost events"

# A person reads what differs.
told 's/pc=0x8/pc=0x9/'
for _ in 1 2 3 4 5 6; do cat "$tmp/told.events"; done | awk '/^[0-9]/ { $1 += 100000 * int(n++ / 31) } { print }' >"$tmp/long.events"
out=$("$same" "$dir/bpf.events" "$tmp/long.events")
[ "$(wc -l <<<"$out")" -le 40 ]
ok $? "at most 40 lines" "$(wc -l <<<"$out")"
like "$out" '^\.\.\. and [0-9]+ more$' "and how much more there is"

# What may differ.
like "$("$same" --list)" '^\| exit \| field \| daif \| BPF and ftrace' "--list shows the table"
is "$("$same" --list | sed -n 's/^|  | verdict | \([^|]*\) .*/\1/p' | tr ' ' '\n' | while read -r id; do
	"$kt" check --rules | grep -q "^$id " || echo "$id"
done)" "" "each rule in it is one"
is "$("$same" --list | awk -F'|' '/^\|/ && $8 !~ /[a-z]/' | grep -v '^|---')" "" "each row has a reason"

# Misuse.
for wrong in "" "one" "one two three" "--nonsense a b" "--kind nonsense a b" "--lane nonsense a b" "--least 0 a b" "--least few a b"; do
	# shellcheck disable=SC2086 # words
	"$same" $wrong >"$tmp/out" 2>&1
	is $? 129 "misuse: same $wrong"
	like "$(cat "$tmp/out")" '^usage: same ' "and how to use it"
done
"$same" "$dir/bpf.events" "$tmp/nothing" >/dev/null 2>"$tmp/err"
is $? 1 "a file that is not there is not the same"
like "$(cat "$tmp/err")" 'nothing' "and is named"
done_testing
