# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Traces as text: each NAME.txt is a capture as somebody may send it; NAME.report and
# NAME.doctor are what a person must read out of it.  UPDATE=1 writes them anew: read
# the difference before committing it.  The long ones are one run of a lab host, in
# every dialect; the short ones are written by hand, each for one thing.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

dir=$(dirname "$0")
for trace in "$dir"/*.txt; do
	name=$(basename "$trace" .txt)
	for view in report doctor; do
		"$kt" $view "$trace" >"$tmp/got" 2>&1
		status=$?
		[ -z "${UPDATE-}" ] || cp "$tmp/got" "$dir/$name.$view"
		[ $status -eq 0 ] || [ $view$status = doctor3 ]
		ok $? "$name: $view: status $status" "$(cat "$tmp/got")"
		diff -u "$dir/$name.$view" "$tmp/got" >"$tmp/diff" 2>&1
		ok $? "$name: $view" "$(cat "$tmp/diff")"
	done
	awk 'length > 72 { bad = 1 } END { exit bad }' "$dir/$name.report"
	ok $? "$name: no line of the report is longer than 72 columns"
	# Through a pipe, and told again from dump: the same.
	"$kt" report - <"$trace" >"$tmp/pipe" 2>&1
	diff -u "$dir/$name.report" "$tmp/pipe" >"$tmp/diff" 2>&1
	ok $? "$name: through a pipe" "$(cat "$tmp/diff")"
	"$kt" dump "$trace" >"$tmp/again.events"
	"$kt" report "$tmp/again.events" >"$tmp/again" 2>&1
	diff -u "$dir/$name.report" "$tmp/again" >"$tmp/diff" 2>&1
	ok $? "$name: told again from dump" "$(cat "$tmp/diff")"
done

# One run, many dialects: the same events, but for what a dialect does not tell.
events() {
	"$kt" dump "$dir/$1.txt" | grep -E '^[0-9]' | sed -E "${2-}"
}
events tracefs >"$tmp/tracefs"
for name in mail perf-script-tid perf-script tracefs-without-flags; do
	events $name | diff -u "$tmp/tracefs" - >"$tmp/diff"
	ok $? "$name: the same events as tracefs" "$(cat "$tmp/diff")"
done
# Latency format: times from the start of the trace.
events tracefs-latency 's/^[0-9]+ //' | diff -u <(sed -E 's/^[0-9]+ //' "$tmp/tracefs") - >"$tmp/diff"
ok $? "tracefs-latency: the same events but for their times" "$(cat "$tmp/diff")"
events trace-cmd-report-l >"$tmp/report"
events trace-cmd-report | diff -u "$tmp/report" - >"$tmp/diff"
ok $? "trace-cmd-report: the same events with and without flags" "$(cat "$tmp/diff")"
# trace-cmd cannot print the event of a WFI.
events trace-cmd-report-t 's/^([0-9]+)[0-9]{3} /\1000 /' | sed 's/expires_ns=[0-9]*//' >"$tmp/ns"
diff -u <(sed -E 's/^[0-9]+ //' "$tmp/report" | grep -v expires) <(sed -E 's/^[0-9]+ //' "$tmp/ns" | grep -v bg_expire) >"$tmp/diff"
ok $? "trace-cmd-report-t: the same events with nine digits" "$(cat "$tmp/diff")"

# Wrapped at blanks by a mail, into as many pieces as it takes, and with nothing else in it.
for width in 72 60 46; do
	grep -v '^#' "$dir/tracefs.txt" | fold -s -w $width >"$tmp/wrapped"
	"$kt" dump "$tmp/wrapped" | grep -E '^[0-9]' | diff -u "$tmp/tracefs" - >"$tmp/diff"
	ok $? "wrapped at $width columns: the same events" "$(cat "$tmp/diff")"
done
# As other programs save it.
same_events() {
	"$kt" dump "$2" | grep -E '^[0-9]' | diff -u "$tmp/tracefs" - >"$tmp/diff"
	ok $? "$1: the same events" "$(cat "$tmp/diff")"
}
tr '\n' '\r' <"$dir/tracefs.txt" >"$tmp/cr"
same_events "lines that end in CR" "$tmp/cr"
LC_ALL=C sed 's/ /\xc2\xa0/g' "$dir/tracefs.txt" >"$tmp/no-break"
same_events "no-break spaces" "$tmp/no-break"
# What a mail cut short does not swallow the wrapped line after it.
{ head -c 85 <(grep kvm_exit "$dir/tracefs.txt"); echo; cat "$tmp/wrapped"; } >"$tmp/cut-before"
"$kt" dump "$tmp/cut-before" | grep -E '^[0-9]' | grep -v ' gap ' | diff -u "$tmp/tracefs" - >"$tmp/diff"
ok $? "wrapped after a line that was cut: the same events" "$(cat "$tmp/diff")"

like "$("$kt" report --json "$dir/two-vms.txt")" '"vm":2' "two VMs with the same vcpu_id stay two"
like "$("$kt" timeline --steps --from 0s "$dir/tracefs.txt")" 'vtimer line +low -> high|wire +low -> high' "a trace as text has a timeline"
"$kt" report --strict "$dir/lost.txt" >/dev/null
is $? 3 "a lossy text is inconclusive with --strict"

# ---- the size of a capture is no part of the answer ----
# rounds N FILE: the same again and again, a millisecond later each time
rounds() {
	awk -v n="$1" '{ line[NR] = $0 }
		END {
			for (r = 0; r < n; r++)
				for (i = 1; i <= NR; i++) {
					if (line[i] ~ /^#/) {
						if (!r)
							print line[i]
						continue
					}
					match(line[i], /[0-9]+\.[0-9]+: /)
					split(substr(line[i], RSTART, RLENGTH - 2), at, ".")
					us = at[1] * 1000000 + at[2] + r * 1000
					printf "%s%d.%06d%s\n", substr(line[i], 1, RSTART - 1), us / 1000000, us % 1000000,
						substr(line[i], RSTART + RLENGTH - 2)
				}
		}' "$2"
}
# The status of check, and each rule with its verdict.
answer() {
	"$kt" check --json "$1" >"$tmp/json" 2>&1
	echo "status $?"
	grep -oE '"(id|verdict)":"[^"]*"' "$tmp/json"
}
answer "$dir/levels-not-recorded.txt" >"$tmp/once"
like "$(cat "$tmp/once")" '"verdict":"inconclusive"' "levels were not recorded: no rule that rests on them is decided"
unlike "$(cat "$tmp/once")" '"verdict":"violated"' "nor is one called broken"
for n in 100 10000; do
	rounds $n "$dir/levels-not-recorded.txt" >"$tmp/rounds"
	answer "$tmp/rounds" | diff -u "$tmp/once" - >"$tmp/diff"
	ok $? "$n rounds of it: the same answer" "$(cat "$tmp/diff")"
done
# A dump of before told it last.  Too late to be judged by, it can still say that nothing is proven.
"$kt" dump "$tmp/rounds" >"$tmp/first.events"
{ grep -v '^fact' "$tmp/first.events"; grep '^fact' "$tmp/first.events"; } >"$tmp/last.events"
"$kt" check "$tmp/last.events" >"$tmp/log" 2>&1
is $? 3 "what it is told behind its events: what looks broken may be what it has not" "$(cat "$tmp/log")"
for trace in "$dir"/*.txt; do
	"$kt" dump "$trace" | awk '/^fact input\.format=/ { told = 1 } /^[0-9]/ { exit !told }'
	ok $? "$(basename "$trace" .txt): its format is told before its first event"
done

# ---- what cannot be read: events are lost, talk is not ----
# statuses WANTED NAME FILE: of check, doctor and report --strict
statuses() {
	local got
	got=$(for view in check doctor 'report --strict'; do
		# shellcheck disable=SC2086
		"$kt" $view "$3" >/dev/null 2>&1
		printf '%d ' $?
	done)
	is "$got" "$1 " "$2"
}
statuses "0 0 0" "a whole trace" "$dir/tracefs.txt"
awk '/vgic_update_irq_pending/ && c++ % 2 { sub(/level:/, "levl:") } { print }' "$dir/tracefs.txt" >"$tmp/fields"
statuses "3 3 3" "events whose fields cannot be read are lost" "$tmp/fields"
like "$("$kt" report "$tmp/fields")" '; lost 8;' "each of them"
awk '/vgic_update_irq_pending/ && c++ % 2 { sub(/\[00/, "[0O") } { print }' "$dir/tracefs.txt" >"$tmp/heads"
statuses "3 3 3" "events whose CPU cannot be read are lost" "$tmp/heads"
like "$("$kt" report "$tmp/heads")" '; lost 8;' "each of those too"
{ cat "$dir/tracefs.txt"; printf 'b-1 [001] 25.0: kvm_exit: '; head -c 9000 /dev/zero | tr '\0' x; echo; } >"$tmp/long-event"
statuses "3 3 3" "an event in a line that is too long is lost" "$tmp/long-event"
awk '{ print } /kvm_timer_save_state/ && !c++ { sub(/24\.024403/, "24.024404"); print }' "$dir/tracefs.txt" >"$tmp/violation"
statuses "2 0 0" "a violation" "$tmp/violation"
{ echo 'Hi Marc,'; echo 'kvm_exit: is it this?'; cat "$tmp/violation"; } >"$tmp/talk"
statuses "2 0 0" "a violation with talk around it" "$tmp/talk"
like "$("$kt" report "$tmp/talk" | tr -s ' \n' ' ')" '2 lines cannot be read and were skipped; the first is line 1: no event' "talk is counted"
{ cat "$tmp/violation" "$tmp/fields"; } >"$tmp/both"
statuses "3 3 3" "a violation in a trace with lost events" "$tmp/both"
# The kernel tells that a buffer started only after an overrun.
grep -v entries-in-buffer "$dir/overwritten.txt" >"$tmp/started"
statuses "3 3 3" "a buffer that started late, without the header that counts" "$tmp/started"
# trace-cmd's printer tells nothing of a WFI: that is as if it had not been recorded.
awk '{ print } /kvm_timer_save_state/ && !c++ { sub(/24\.024433/, "24.024434"); print }' "$dir/trace-cmd-report.txt" >"$tmp/untold"
statuses "2 3 0" "a violation in what trace-cmd report prints" "$tmp/untold"

# ---- hostile text ----
cd "$tmp" || exit 1
good='       CPU 0/KVM-101     (    100) [000] d....     1.000100: kvm_entry: PC: 0x0000000080000000'

# bounded NAME WANTED-STATUS PATTERN: report on the file NAME, in little time and memory
bounded() {
	local got
	got=$( (ulimit -v "${KT_ULIMIT:-400000}"; timeout 20 "$kt" report "$1") 2>&1)
	is $? "$2" "$1: status"
	like "$(tr -s ' \n' ' ' <<<"$got")" "$3" "$1: $3"
}
case $(nm "$kt" 2>/dev/null) in
*__asan_*) KT_ULIMIT=unlimited ;;
esac
{ echo "$good"; head -c 10000000 /dev/zero | tr '\0' 'x'; echo; echo "$good"; } >long-line
bounded long-line 0 'line 2: longer than 8192 bytes'
{ echo "$good"; head -c 10000000 /dev/zero | tr '\0' '['; echo; } >brackets
bounded brackets 0 'longer than 8192'
{ echo "$good"; for i in $(seq 100); do head -c 8000 /dev/zero | tr '\0' '['; echo; done; } >many-brackets
bounded many-brackets 0 '100 lines cannot be read'
{ echo "$good"; head -c 2000000 /dev/urandom; } >rubbish
bounded rubbish 0 'lines cannot be read'
{ echo "$good"; head -c 60 <<<"$good"; } >cut-line
bounded cut-line 0 '1 lines cannot be read and were skipped; the first is line 2'
printf '%s\0\n%s\n' "$good" "$good" >nul
bounded nul 0 'events: 1 on 1 CPUs'
for i in $(seq 0 38 8191); do printf ' t-%d [%05d] d.... 1.%06d: kvm_entry: PC: 0x1\nCPU:%d [LOST 5 EVENTS]\n' $((i + 1)) "$i" "$i" "$i"; done >many-cpus
bounded many-cpus 0 'on 216 CPUs; lost 1,080'
awk 'BEGIN { for (i = 0; i < 200000; i++) printf " t-%d [000] d.... 1.%06d: kvm_entry: PC: 0x1\n", i + 1, i }' >many-threads
bounded many-threads 0 'more than 16384 vCPUs'
awk 'BEGIN { for (i = 0; i < 200000; i++) printf " t-7 [000] d.... 1.%06d: kvm_timer_update_irq: VCPU: %d, IRQ 27, level 1\n", i, i }' >many-ids
bounded many-ids 0 'events'
printf '%s\n       x-1 [000] d.... 99999999999999999999.5: kvm_entry: PC: 0x1\n' "$good" >big-time
bounded big-time 0 '1 lines cannot be read'
# No thread has a number of more than 31 bits: cut to 32 bits this one would be thread 101.
{ echo "$good"; echo "${good/-101/-4294967397}"; } >big-pid
bounded big-pid 0 '1 lines cannot be read'
like "$("$kt" report big-pid)" '^events: 1 ' "big-pid: not another thread's event"
printf '%s' "$good" >no-newline
bounded no-newline 0 'events: 1 on 1 CPUs'
printf 'x\n%.0s' $(seq 1000) >not-a-trace
"$kt" report not-a-trace >out 2>&1
is $? 1 "text that is no trace is refused"
like "$(cat out)" 'unknown format: no recording, no events as text, no trace.dat, no trace as text in its first 64 KiB; paste .* cut' "and it is said, with what to do"

# Lines that somebody took out, and put a mark in their place; or the kernel, which does not always know how many.
for mark in '[...]' '...' '[snip]' 'CPU:0 [LOST EVENTS]' 'CPU:0 [LOST 4 EVENTS]'; do
	awk -v mark="$mark" 'NR == 60 { print mark } NR < 60 || NR > 63' "$top/tests/text/tracefs.txt" >"$tmp/elided"
	statuses "3 3 3" "$mark in place of four lines" "$tmp/elided"
done
statuses "3 3 3" "a lost publication: what comes first behind it is not that timer's" "$top/tests/text/lost-first-publication.txt"

# Nor what could not be put in its place: one line with a mangled time.
awk 'NR == 60 { line = $0; sub(/[0-9]+\.[0-9]+:/, "0.000001:", line); print line } { print }' "$top/tests/text/tracefs.txt" >mangled
"$kt" check mangled >out
is $? 3 "an event out of its time: inconclusive" "$(cat out)"
like "$(cat out)" '^INCONCLUSIVE: the capture is not whole' "and it says so"

# What was not recorded is not held against the kernel.
for event in $(grep -oE ' (kvm|vgic)_[a-z_0-9]+:' "$top/tests/text/tracefs.txt" | tr -d ' :' | sort -u); do
	grep -v " $event:" "$top/tests/text/tracefs.txt" >without
	"$kt" check without >out
	[ $? -ne 2 ]
	ok $? "a capture without $event breaks no rule" "$(cat out)"
done

done_testing
