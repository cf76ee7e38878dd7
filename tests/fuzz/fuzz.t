# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Each reader of outside data under hostile bytes, with sanitizers: two minutes each,
# two at a time.  KT_FUZZ_SECONDS for longer.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

seconds=${KT_FUZZ_SECONDS:-120}
for fuzzer in "$build"/fuzz/fuzz_*; do
	echo "$fuzzer"
done >"$tmp/fuzzers"
[ -x "$(head -n 1 "$tmp/fuzzers")" ] || skip_all "no fuzzers: make fuzzers builds them"

xargs -P 2 -I{} sh -c 'name=$(basename {}); "$0/scripts/fuzz" "$1" {} >"$2/$name.log" 2>&1; echo $? >"$2/$name.status"' \
	"$top" "$seconds" "$tmp" <"$tmp/fuzzers"
while read -r fuzzer; do
	log=$tmp/$(basename "$fuzzer")
	runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$log.log")
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log.log" | tail -n 1)
	[ "$(cat "$log.status")" = 0 ] && [ "${runs:-0}" -gt 1000 ]
	ok $? "$(basename "$fuzzer"): $seconds s, ${runs:-no} executions, ${edges:-no} edges" "$(tail -n 30 "$log.log")"
done <"$tmp/fuzzers"
done_testing
