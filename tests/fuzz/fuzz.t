# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Each reader of outside data under hostile bytes, with sanitizers, for 20 seconds each:
# KT_FUZZ_SECONDS for longer, as make soak does.
#
# jobs: a fuzzer each
#
#	bash tests/fuzz/fuzz.t [FUZZER...]
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

fuzzers() {
	basename -s .c "$top"/tests/fuzz/fuzz_*.c
}

if [ "${1-}" = --jobs ]; then
	fuzzers
	exit
fi
seconds=${KT_FUZZ_SECONDS:-20}
# shellcheck disable=SC2046 # no name has a space
[ $# -gt 0 ] || set -- $(fuzzers)
for fuzzer; do
	[ -x "$build/fuzz/$fuzzer" ] || skip_all "no $fuzzer: make fuzzers builds it"
	"$top/scripts/fuzz" "$seconds" "$build/fuzz/$fuzzer" >"$tmp/log" 2>&1
	status=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: //p' "$tmp/log")
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$tmp/log" | tail -n 1)
	[ $status -eq 0 ] && [ "${runs:-0}" -gt 1000 ]
	ok $? "$fuzzer: $seconds s, ${runs:-no} executions, ${edges:-no} edges" "$(tail -n 30 "$tmp/log")"
	tally "$fuzzer" "${runs:-0}"
done
done_testing
