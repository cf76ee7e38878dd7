# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The command line: help, misuse, statuses, foreign and damaged files, names from outside.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

golden=$top/tests/golden
story=$golden/seed-four-steps.events

# check NAME STATUS WANTED COMMAND...: status, and a pattern in stdout and stderr together
check() {
	local name=$1 status=$2 wanted=$3 got
	shift 3
	got=$("$@" 2>&1 </dev/null)
	is $? "$status" "$name: status"
	like "$got" "$wanted" "$name"
}

check "no command" 129 'usage: kvmtimer-trace COMMAND' "$kt"
check "unknown command" 129 'there is no command "frobnicate"' "$kt" frobnicate
check "help" 0 'usage: kvmtimer-trace COMMAND' "$kt" --help
check "version" 0 '^kvmtimer-trace ' "$kt" --version
for command in record report timeline dump doctor simulate; do
	check "$command --help" 0 "usage: kvmtimer-trace $command" "$kt" $command --help
	check "$command: unknown option" 129 'unknown option --frobnicate' "$kt" $command --frobnicate
	check "$command: completion" 0 '^--' "$kt" --complete $command
	# The man page and the option table say the same.
	page=$top/docs/man/kvmtimer-trace-$command.1.scd
	is "$(sed -n 's/^\*.*\*--\([a-z-]*\)\*.*/\1/p; s/^\*--\([a-z-]*\)\*.*/\1/p' "$page" | sort -u)" \
		"$("$kt" --complete $command | sed -n 's/^--\([a-z-]*\)$/\1/p' | sort -u)" "$command: man page lists all options"
done

cd "$tmp" || exit 1
check "record: a number that is none" 129 'not a duration' "$kt" record --duration 10
check "record: bad pid list" 129 'not a list' "$kt" record -p 12,x
check "record: for no time at all" 129 'duration: 0s is too little' "$kt" record --duration 0s
check "record: a file without room" 129 'max-size: 100 is too little' "$kt" record --max-size 100
check "timeline: a window of nothing" 129 'span: 0ns is too little' "$kt" timeline --around rise --span 0ns "$story"
check "record: rotate without size" 129 'needs --max-size' "$kt" record --rotate
check "timeline: out of range" 129 'out of range \[40, 1000\]' "$kt" timeline --width 7 "$story"
check "timeline: bad choice" 129 'none of auto, always, never' "$kt" timeline --color=maybe "$story"
check "report: two files" 129 'one too many' "$kt" report a b
is "$(ls "$tmp")" "" "misuse writes nothing"
if [ "$(uname -m)" != aarch64 ]; then
	check "record: not an arm64 host" 1 'recording needs KVM on arm64|cannot record' "$kt" record -o "$tmp/x"
	check "doctor: not an arm64 host" 1 'needs KVM on arm64|cannot record' "$kt" doctor
	is "$(ls "$tmp")" "" "a host that cannot be recorded gets no file"
else
	skip "record: not an arm64 host" "this is one"
fi

# Both spellings of each option that has two, and the three ways to name the input.
is "$("$kt" report -i "$story")" "$("$kt" report --input="$story")" "report: -i FILE is --input=FILE"
is "$("$kt" report "$story")" "$("$kt" report - <"$story")" "report: a file is standard input"
is "$("$kt" report -j "$story")" "$("$kt" report --json "$story")" "report: -j is --json"
is "$("$kt" timeline -j "$story")" "$("$kt" timeline --json - <"$story")" "timeline: through a pipe too"

# 72 columns, whatever the story.
for file in "$golden"/*.events; do
	"$kt" report "$file"
done | awk 'length > 72 { print; bad = 1 } END { exit bad }'
ok $? "report: no line is longer than 72 columns"

is "$("$kt" dump none 2>/dev/null)" "" "dump: no story of a file that is not there"
check "report: no such VM" 1 'has no VM 3: its VMs are numbered 1 to 2' "$kt" report --vm 3 "$golden/two-vms-same-vcpu-id.events"
check "timeline: no such VM" 1 'has no VM 3' "$kt" timeline --vm 3 "$golden/two-vms-same-vcpu-id.events"
check "report: the last VM" 0 'captured' "$kt" report --vm 2 "$golden/two-vms-same-vcpu-id.events"
check "missing file" 1 'cannot open .*none: No such file' "$kt" report none
: >empty
check "empty file" 1 'is empty' "$kt" report empty
printf '\027\010\104tracing6\0....' >trace.dat
check "trace-cmd file that is cut" 1 'trace.dat (cannot be read: libtracecmd refuses it|is a trace-cmd file)' "$kt" report trace.dat
printf 'PERFILE2aaaaaaaaaaaaaaa' >perf.data
check "perf file" 1 'perf.data' "$kt" timeline perf.data
check "JSON file" 1 'but JSON' "$kt" report <(printf '{"a": 1}')
printf '\377\376#\0 \0t\0r\0a\0c\0e\0r\0:\0' >utf-16
check "text in UTF-16" 1 'UTF-16: save it as plain text' "$kt" report utf-16
mkdir folder
for command in report timeline check doctor dump; do
	check "$command: a directory" 1 'folder is a directory: name the file in it' "$kt" $command folder
done
check "rubbish" 1 'unknown format' "$kt" report /dev/urandom
printf '# kvmtimer-events 1\n1000 cpu0 0x1 entry pc=zzz\n' >bad.events
check "story with a mistake" 1 'bad.events:2: cannot understand "pc=zzz' "$kt" report bad.events

# A lossy story does its work and says so.
lossy=$golden/dropped-in-the-middle.events
check "lossy" 0 '3 exit events were lost' "$kt" report "$lossy"
check "lossy, strict" 3 'lost 3' "$kt" report --strict "$lossy"
like "$("$kt" timeline --json --from 0s "$lossy")" '"lost_in_window":3' "lossy timeline, as JSON"
check "lossy timeline, strict" 3 'were lost in this window' "$kt" timeline --strict "$lossy"

# A recording that is not whole: report says so, and so does the text that dump makes of it.
if [ -x "$build/synth" ]; then
	"$build/synth" whole.data 20000 3 2
	head -c 50000 whole.data >cut.data
	{ head -c 50000 whole.data; head -c 100 /dev/zero; tail -c +50101 whole.data; } >damaged.data
	check "report of a cut recording" 0 'the file is cut' "$kt" report cut.data
	check "report of a cut recording, strict" 3 'the file is cut' "$kt" report --strict cut.data
	like "$("$kt" dump cut.data 2>&1 >/dev/null)" 'warning: cut.data is cut' "dump of a cut recording warns"
	like "$("$kt" dump damaged.data 2>&1 >/dev/null)" 'warning: damaged.data: 1 damaged blocks' "dump of a damaged recording warns"
	is "$("$kt" dump whole.data 2>&1 >/dev/null)" "" "dump of a whole recording is quiet"
	like "$("$kt" timeline --json cut.data)" '"cut":true' "timeline --json of a cut recording says so"
else
	skip "recordings that are not whole" "no $build/synth: make check builds it"
fi

# A file may claim any loss; it costs neither time nor memory.
{
	cat "$story"
	echo 'loss stream=0 from=1 until=2 exit=18446744073709551615 entry=9999999999'
} >claims.events
check "absurd loss" 0 'lost 8,589,934,590' timeout 10 "$kt" report claims.events

# It may also claim any time and any value.
cat >extremes.events <<'STORY'
# kvmtimer-events 1
ident 0x1 kvm=0xa gen=1 tgid=100 tid=101 vcpu_id=0 comm="a"
0 cpu0 0x1 update_irq.vtimer irq=27 level=0
1 cpu0 0x1 update_irq.vtimer irq=27 level=255
2 cpu0 0x1 irqchip.vtimer host_irq=27 which=1 val=255
18446744073709551614 cpu0 0x1 update_irq.vtimer irq=27 level=0
18446744073709551615 cpu0 0x1 update_irq.vtimer irq=27 level=1
STORY
check "times from 0 to the last: report" 0 'captured: 18446744074s' timeout 10 "$kt" report extremes.events
check "nothing can follow the last time of all: that event is counted" 0 'lost 1;' timeout 10 "$kt" report extremes.events
check "times from 0 to the last: timeline" 0 'window: \+0ns to \+18446744074s' timeout 10 "$kt" timeline --width 40 extremes.events
check "the last time of all" 0 'window:' timeout 10 "$kt" timeline --around update_irq:3 --span 1ns extremes.events
like "$("$kt" timeline --json extremes.events | tr -d '\n\t ')" '"lane":"phys","steps":\[\{"lo_ns":2,"hi_ns":2,"value":"active"' "an active state of 255 is active"

# What was lost before anybody looked begins at time 0; the recording does not.
{
	sed -n 1p "$story"
	echo 'loss stream=0 from=0 until=5 exit=1'
	sed 1d "$story"
} >early.events
is "$("$kt" report early.events | sed -n 's/^captured: \([^ ]*\) .*/\1/p')" "2.50us" "loss before the first event: the recording is as long as it was"
like "$("$kt" timeline --from 0s early.events)" 'window: \+0ns to \+2.50us of 2.50us' "and so is its timeline"

# Names from outside: each byte, in each output.
{
	printf '# kvmtimer-events 1\n'
	printf 'ident 0x1 kvm=0xa gen=1 tgid=100 tid=101 vcpu_id=0 irq=30,27 comm="\\x1b[31mred"\n'
	for half in 0 1; do
		printf 'name kvm=0x%d gen=1 tgid=100 name="' $((half + 10))
		for i in $(seq $((half * 64 + 1)) $((half * 64 + 63))); do printf '\\x%02x' "$i"; done
		printf '"\n'
	done
	printf 'name kvm=0xc gen=1 tgid=100 name="'
	for i in $(seq 128 200); do printf '\\x%02x' "$i"; done
	printf '"\nname kvm=0xd gen=1 tgid=100 name="'
	for i in $(seq 201 255); do printf '\\x%02x' "$i"; done
	printf '"\nfact host.name="\\x1b]0;evil\\x07"\n1000 cpu0 0x1 update_irq.vtimer level=0\n1100 cpu0 0x1 entry\n'
} >names.events
for view in report "report --json" "timeline --color=never" "timeline --json" dump; do
	# shellcheck disable=SC2086
	"$kt" $view names.events >out 2>&1
	is $? 0 "$view: hostile names: status"
	LC_ALL=C grep -q '[^[:print:][:space:]]' <(LC_ALL=C sed 's/[\xc2-\xf4][\x80-\xbf]*//g' out)
	is $? 1 "$view: hostile names: nothing unprintable"
done
if command -v python3 >/dev/null; then
	"$kt" report --json names.events | python3 -m json.tool >/dev/null
	ok $? "report: JSON of hostile names is JSON"
else
	skip "report: JSON of hostile names is JSON" "no python3"
fi

# Names that a column is too narrow for are cut between characters, not between bytes:
# two-byte letters at even and odd offsets, wide ones, and escapes.
{
	printf '# kvmtimer-events 1\nfact host.name="%s"\nfact host.release="x%s"\nfact capture.probe.save="no %s"\n' \
		"$(printf 'ä%.0s' $(seq 500))" "$(printf 'ä%.0s' $(seq 500))" "$(printf 'xö%.0s' $(seq 300))"
	n=0
	for name in äääääääääääääääääääääääääääääääääääääääääääää xäääääääääääääääääääääääääääääääääääääää \
		漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 '12345678901234567890123456\x1b\x1b'; do
		n=$((n + 1))
		printf 'ident 0x%d kvm=0x%d gen=1 tgid=100 vcpu_id=0 comm="%s"\n' $n $n "$(printf %s "$name" | head -c 14 | iconv -c -f UTF-8 -t UTF-8 2>/dev/null)"
		printf 'name kvm=0x%d gen=1 tgid=100 name="%s"\n%d cpu0 0x%d entry\n' $n "$name" $((1000 + n)) $n
	done
} >long.events
for view in report "report --json" "timeline --color=never" dump; do
	# shellcheck disable=SC2086
	"$kt" $view long.events >out 2>err && iconv -f UTF-8 -t UTF-8 out >/dev/null 2>err
	ok $? "$view: names longer than their column: still UTF-8" "$(cat err)"
done
"$kt" report long.events >out
LC_ALL=C.UTF-8 like "$(cat out)" "^  1  ä{28}  " "report: a name is cut to its column"
LC_ALL=C.UTF-8 like "$(cat out)" "^  3  (漢字){7} +100 " "report: wide letters take two columns"
like "$(cat out)" '^  4  12345678901234567890123456 {3,}' "report: an escape is not cut in two"
LC_ALL=C grep -q '[^ -~]' <("$kt" timeline --ascii --color=never long.events | tr -d '\n')
is $? 1 "timeline --ascii: names too"

anon=$("$kt" report --anonymise "$golden/two-vms-same-vcpu-id.events")
unlike "$anon" 'vmm/|  100 |  200 ' "anonymise: no name, no pid"
like "$anon" 'vm-1' "anonymise: made-up names"

unlike "$("$kt" timeline "$story")" $'\033' "no colour into a pipe"
like "$("$kt" timeline --color=always "$story")" $'\033' "colour when asked"
LC_ALL=C grep -q '[^ -~]' <("$kt" timeline --ascii "$story" | tr -d '\n')
is $? 1 "ascii: nothing else"
like "$("$kt" timeline --around rise:1 --span 1us "$story")" 'window:' "around"
check "around: too many" 1 'only 1 such' "$kt" timeline --around rise:9 "$story"
check "around with from" 129 'leave out --from' "$kt" timeline --around rise --from 1ms "$story"
check "span alone" 129 'span needs --around' "$kt" timeline --span 1ms "$story"
check "to before from" 129 'later than --from' "$kt" timeline --from 2ms --to 1ms "$story"
check "from: past the end" 1 'only 2.50us long' "$kt" timeline --from 5000000h "$story"
like "$("$kt" timeline --to 5000000h "$story")" 'window: \+0ns to \+2.50us of 2.50us' "to: past the end"

# Two vCPUs whose lines rise in turn, near the start of time; one falls unseen, to be found at its save.
cat >turns.events <<'STORY'
# kvmtimer-events 1
ident 0x1 kvm=0xa gen=1 tgid=100 tid=101 vcpu_id=0 comm="a"
ident 0x2 kvm=0xa gen=1 tgid=100 tid=102 vcpu_id=1 comm="b"
1000 cpu0 0x1 update_irq.vtimer irq=27 level=0
1100 cpu1 0x2 update_irq.vtimer irq=27 level=0
2000 cpu0 0x1 update_irq.vtimer irq=27 level=1
3000 cpu1 0x2 update_irq.vtimer irq=27 level=1
4000 cpu0 0x1 save.vtimer ctl=1 cval_ticks=5
5000 cpu1 0x2 update_irq.vtimer irq=27 level=0
6000 cpu0 0x1 update_irq.vtimer irq=27 level=1
7000 cpu1 0x2 update_irq.ptimer irq=30 level=0
8000 cpu1 0x2 update_irq.ptimer irq=30 level=1
STORY
# around OPTION... EVENT: where the window's start and end are
around() {
	"$kt" timeline --span 100ns --around "$@" turns.events 2>&1 | sed -n 's/^window: +\(.*\) to +\(.*\) of .*/\1 \2/p; s/^kvm.*has only \([0-9]*\).*/only \1/p'
}
is "$(around rise)" "950ns 1.05us" "around rise: the first"
is "$(around rise:2)" "1.95us 2.05us" "around rise: the second is the other vCPU's"
is "$(around rise:3)" "4.95us 5.05us" "around rise: a fall that only the save shows lets the line rise again"
is "$(around rise:4)" "6.95us 7.00us" "around rise: a timer's line is its own"
is "$(around rise:5)" "only 4" "around rise: and there are no more"
is "$(around rise:2 --vcpu 0)" "4.95us 5.05us" "around rise: of the chosen vCPU"
is "$(around rise:1 --timer p)" "6.95us 7.00us" "around rise: of the chosen timer"
is "$(around update_irq:3 --vcpu 1)" "3.95us 4.05us" "around an event of the chosen vCPU"
is "$(around update_irq)" "0ns 50ns" "around: a window that would begin before the recording begins with it"
like "$("$kt" timeline --span 5000000h --around rise --width 40 turns.events)" '^window: \+0ns to ' "around: a span beyond all times"

"$kt" report "$story" >/dev/full 2>err
is $? 1 "a full disk under stdout is a failure"
like "$(cat err)" 'cannot write the output' "and it is said"
for words in --help --version "--complete report" "report --help" "dump $story" "timeline --json $story"; do
	# shellcheck disable=SC2086
	"$kt" $words >/dev/full 2>err
	is "$?,$(grep -c 'cannot write the output: No space left' err)" "1,1" "${words%% /*}: a full disk is a failure, and it is said"
done
"$kt" dump "$story" 2>err | true
is "$(cat err)" "" "a closed pipe is quiet"

DESTDIR=$tmp/dest make -s -C "$top" O="$build" VERSION="$("$kt" --version | cut -d" " -f2)" install PREFIX=/usr >/dev/null 2>&1
ok $? "make install"
[ -x "$tmp/dest/usr/bin/kvmtimer-trace" ] && [ -s "$tmp/dest/usr/share/man/man1/kvmtimer-trace.1" ]
ok $? "installed: tool and man pages"
done_testing
