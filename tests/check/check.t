# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Each NAME.events tells one thing; its line "# broken:" names the rules that check must find broken in
# it, exactly those.  Every rule has a story in which it is broken, so none is a rule that cannot fail.
# "# status: 3" is of stories in which data is lost; without it the status is 2 or 0.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

dir=$(dirname "$0")
sorted() { tr ' ' '\n' | sort | xargs; }

for story in "$dir"/*.events; do
	want=$(sed -n 's/^# broken: *//p' "$story" | sorted)
	"$kt" check --examples 1 "$story" >"$tmp/got" 2>&1
	status=$?
	is "$(awk '/ broken/ && $1 ~ /^[A-Z][0-9]+$/ { print $1 }' "$tmp/got" | sorted)" "$want" \
		"$(basename "$story" .events): ${want:-nothing} broken"
	expected=$(sed -n 's/^# status: *//p' "$story")
	is $status "${expected:-$([ -n "$want" ] && echo 2 || echo 0)}" "$(basename "$story" .events): status $status"
done
is "$(sed -n 's/^# broken: *//p' "$dir"/*.events | sorted | tr ' ' '\n' | sort -u)" \
	"$("$kt" check --rules | grep -oE '^[A-Z][0-9]+' | sort -u)" "each rule is broken in some story"

# What a person reads.
one=$dir/published-masked.events
text=$("$kt" check "$one")
like "$text" '^VIOLATED: 2 of [0-9]+ rules' "the first line says it"
like "$text" 'I24 masked-low +S0 violated +2  1 broken' "the rule, its verdict, how often"
like "$text" 'rule:  A timer saved switched off or masked is published low' "the sentence that was broken"
like "$text" '^   > .*restore\.vtimer ctl=3' "the event at which it showed is marked"
like "$text" '\^ here' "and so is the point in the picture"
is "$("$kt" check "$one" "$dir"/*.data 2>/dev/null | awk 'length > 110' | head -n 1)" "" "no line is very long"

# Status and words when there is nothing to judge, or data is missing.
printf '# kvmtimer-events 1\n' >"$tmp/empty.events"
like "$("$kt" check "$tmp/empty.events")" '^INCONCLUSIVE: nothing in it puts a rule to the test' "an empty recording is no verdict"
"$kt" check "$tmp/empty.events" >/dev/null
is $? 3 "and status 3"
sed 's/^1000005000 .*/&\nloss stream=0 from=1000005000 until=1000005500 update_irq=3/' "$dir/conforming.events" >"$tmp/lossy.events"
"$kt" check "$tmp/lossy.events" >"$tmp/got" 2>&1
is $? 3 "lost events: status 3" "$(cat "$tmp/got")"
like "$(cat "$tmp/got")" '^INCONCLUSIVE: events were lost' "and it says so"

# For machines.
is "$("$kt" check --json "$one" | grep -c '"verdict":"violated"')" 2 "json: two rules violated"
like "$("$kt" check --json "$one")" '"answer":"violated"' "json: the answer"
is "$("$kt" check --format tap "$one" | grep -c '^not ok')" 2 "tap: two tests fail"
is "$("$kt" check --format tap "$one" | grep -cE '^(not )?ok')" "$("$kt" check --format tap "$one" | sed -n 's/^1\.\.//p')" "tap: the plan holds"
is "$("$kt" check --format junit "$one" | grep -c '<failure')" 2 "junit: two failures"
if command -v xmllint >/dev/null; then
	"$kt" check --format junit "$one" | xmllint --noout - 2>"$tmp/err"
	ok $? "junit: well-formed" "$(cat "$tmp/err")"
fi
"$kt" check --rule I24 "$dir/wrong-vcpu.events" >/dev/null
is $? 3 "--rule: of rules that were not exercised there is no verdict"
"$kt" check --rule nonsense "$one" >/dev/null 2>&1
is $? 129 "--rule: an unknown rule is misuse"
is "$("$kt" check - <"$one" | head -n 1)" "$("$kt" check "$one" | head -n 1)" "from standard input"
is "$("$kt" check <(cat "$one") | grep -c 'here$')" 2 "from a pipe, which is read twice"
done_testing
