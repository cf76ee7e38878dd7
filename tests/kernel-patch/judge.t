#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# scripts/kernel-test --judge: what it makes of recordings, told on canned ones and a canned check.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir -p "$tmp/scripts/lab.d" "$tmp/kernel-patch/linux-6.12/controls" "$tmp/build"
cp "$top/scripts/kernel-test" "$tmp/scripts/"
cp "$top/scripts/lab.d/apt.sh" "$tmp/scripts/lab.d/"
cat >"$tmp/kernel-patch/linux-6.12/controls/wrong.patch" <<'PATCH'
Rule: I9 I8
Host: --cpu max
Guest: scenario=seed
Conforming: taken=0
Broken: taken=20
---
PATCH
# A recording is what check prints; its first line is the exit status.
cat >"$tmp/build/kvmtimer-trace" <<'SH'
#!/bin/sh
[ -r "$3" ] || exit 1
sed 1d "$3"
exit "$(head -n 1 "$3")"
SH
chmod +x "$tmp/build/kvmtimer-trace"

# recording KERNEL STATUS ANSWER RULE...: the rules are violated.
recording() {
	local file=$tmp/out/$1/wrong.data
	printf '%s\n{ "answer": "%s", "rules": [\n{ "id": "M1", "verdict": "held" }' "$2" "$3" >"$file"
	shift 3
	for rule; do
		printf ',\n{ "id": "%s",\n"sentence": "x", "verdict": "violated" }' "$rule"
	done >>"$file"
	echo ']}' >>"$file"
}

fresh() {
	rm -rf "$tmp/out"
	mkdir -p "$tmp/out/conforming" "$tmp/out/wrong"
	echo 'scenario=seed taken=0' >"$tmp/out/conforming/wrong.guest"
	echo 'scenario=seed taken=20' >"$tmp/out/wrong/wrong.guest"
	recording conforming 0 conforms
	recording wrong 2 violated I9
}

judge() {
	out=$(KT_BUILD="$tmp/build" "$tmp/scripts/kernel-test" --out "$tmp/out" --judge wrong 2>&1)
	rc=$?
}

fresh
judge
is $rc 0 "a control that is caught passes"
like "$out" '^\| wrong \| I9 I8 \| --cpu max \| `taken=0` \| `taken=20` \| I9 \| ok \|$' "and the table says so"
recording wrong 2 violated I8 I9
judge
is $rc 0 "a further rule of the header may be broken"
recording wrong 2 violated I8
judge
is $rc 1 "the first rule must be"
like "$out" "not-caught" "and that is said"
recording wrong 2 violated I9 P2
judge
is $rc 1 "a rule that the header does not name must not be"
like "$out" "unexpected-P2" "and is named"
recording wrong 0 conforms
judge
is $rc 1 "a control that nothing catches fails"
like "$out" "\| none \| +not-caught" "and that is said"

fresh
recording conforming 2 violated I9
judge
is $rc 1 "a rule broken on the conforming kernel fails"
like "$out" "false-alarm" "and is called a false alarm"
fresh
echo 'scenario=seed taken=20' >"$tmp/out/conforming/wrong.guest"
echo 'scenario=seed taken=0' >"$tmp/out/wrong/wrong.guest"
judge
is $rc 1 "guests that saw something else fail"
like "$out" "conforming-guest broken-guest" "both are said"

for kernel in conforming wrong; do
	want=no-verdict
	[ $kernel = wrong ] || want=no-verdict-on-conforming
	fresh
	rm "$tmp/out/$kernel/wrong.data"
	judge
	is $rc 1 "$kernel: no recording is no pass"
	like "$out" " $want \|" "and that is said"
	fresh
	recording $kernel 1 violated
	judge
	is $rc 1 "$kernel: a recording that cannot be read is no pass"
	like "$out" " $want \|" "and that is said"
	fresh
	recording $kernel 3 inconclusive
	judge
	is $rc 1 "$kernel: an inconclusive recording is no pass"
	like "$out" " $want \|" "and that is said"
	fresh
	echo 0 >"$tmp/out/$kernel/wrong.data"
	judge
	is $rc 1 "$kernel: a check that says nothing is no pass"
	like "$out" " $want \|" "and that is said"
done
fresh
rm "$tmp/build/kvmtimer-trace"
judge
is $rc 1 "without the command nothing passes"
like "$out" "no-verdict no-verdict-on-conforming" "and that is said of both"
done_testing
