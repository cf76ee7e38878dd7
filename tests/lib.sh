# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# TAP in a few lines.  A test file sources this, calls ok/is/like/skip, then done_testing.

count=0
failures=0
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${KT_BUILD:-$top/build}
kt=$build/kvmtimer-trace
tmp=$(mktemp -d "${TMPDIR:-/tmp}/kt-test.XXXXXX")
trap 'rm -rf "$tmp"' EXIT

# ok STATUS NAME [DIAGNOSIS]
ok() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		printf 'ok %d - %s\n' "$count" "$2"
	else
		failures=$((failures + 1))
		printf 'not ok %d - %s\n' "$count" "$2"
		# Where a harness shows it even if it shows no test that passed.
		[ -z "${3-}" ] || { printf '%s:\n%s\n' "$2" "$3" | head -n 40 | sed 's/^/# /' >&2; }
	fi
}

# is GOT WANTED NAME [DIAGNOSIS]; like and unlike TEXT PATTERN NAME [DIAGNOSIS]
is() {
	[ "$1" = "$2" ]
	ok $? "$3" "got:    $1
wanted: $2
${4-}"
}

like() {
	printf '%s' "$1" | grep -qE -- "$2"
	ok $? "$3" "no match for: $2
in: $1
${4-}"
}

unlike() {
	! printf '%s' "$1" | grep -qE -- "$2"
	ok $? "$3" "match for: $2
in: $1
${4-}"
}

skip() {
	count=$((count + 1))
	printf 'ok %d - %s # SKIP %s\n' "$count" "$1" "$2"
}

skip_all() {
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

# tally WHAT RUNS: in a soak, how often it was run, in this run and all before it
tally() {
	[ -z "${KT_SOAK_DIR-}" ] || printf '%s %s\n' "$1" "$2" >>"$KT_SOAK_DIR/tally"
}

done_testing() {
	printf '1..%d\n' "$count"
	[ "$failures" -eq 0 ]
	exit
}
