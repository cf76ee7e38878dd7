# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Lost data never convicts: recordings of a conforming kernel with something missing, made in
# every way that was ever seen to bring a false verdict, each put to check.  KT_SOAK_KILLS=N
# (200) kills, KT_SOAK_ROTATIONS=N (50) rotations a source; KT_KEEP=DIR keeps the recordings.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$top/tests/lab/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"
kills=$((${KT_SOAK_KILLS:-200} / 2))
rotations=${KT_SOAK_ROTATIONS:-50}

# cell NAME TIMEOUT WORDS...: one boot, its recordings in $tmp/NAME
cell() {
	local name=$1 timeout=$2
	shift 2
	lab --timeout "$timeout" --add "$top/tests/lab/faults.sh" --out "$tmp/$name" -- \
		sh /lab/bin/faults.sh "$@" >"$tmp/log" 2>&1
	ok $? "$name: the host booted and acted" "$(cat "$tmp/log" "$tmp/$name/ended" 2>/dev/null)"
	keep "$tmp/$name"
}

# judge NAME STATUS WANTED FILE...: every file ends with a status that matches, and there are as
# many as wanted.  What check said of one that is violated is shown.
judge() {
	local name=$1 status=$2 wanted=$3 file got bad='' n=0
	local -A ended=()
	shift 3
	for file; do
		[ -s "$file" ] || continue
		n=$((n + 1))
		"$kt" check "$file" >"$tmp/verdict" 2>&1
		got=$?
		ended[$got]=$((${ended[$got]-0} + 1))
		[[ $got =~ ^($status)$ ]] || bad+="${file##*/}: $got, $(grep -m 1 -E '^[A-Z]+: ' "$tmp/verdict")
"
	done
	is "$n" "$wanted" "$name: all recordings are there"
	[ -z "$bad" ]
	ok $? "$name: $n recordings; $(for got in "${!ended[@]}"; do printf 'status %s: %s; ' "$got" "${ended[$got]}"; done)wanted: $status" "$bad"
}

for source in bpf ftrace; do
	cell "kills-$source" $((300 + kills * 40)) kills $source "$kills"
	judge "killed, $source" 3 "$kills" "$tmp/kills-$source"/*.data
done

cell stopped 900 stopped
for source in bpf ftrace; do
	for detail in line lr; do
		judge "stopped for five seconds, $source, $detail" 3 1 "$tmp/stopped/$source-$detail.data"
	done
done
is "$(grep -c ': status 0$' "$tmp/stopped/ended")" 4 "stopped for five seconds: every recorder went on" "$(cat "$tmp/stopped/ended")"

cell full 900 full
for source in bpf ftrace; do
	judge "full disk, $source" 3 1 "$tmp/full/$source-full.data"
	judge "full disk with --rotate, $source, the newer file" 3 1 "$tmp/full/$source-rotated-full.data"
	judge "full disk with --rotate, $source, the older file" '0|3' 1 "$tmp/full/$source-rotated-full.data.old"
done
is "$(grep -c ': status 1$' "$tmp/full/ended")" 4 "full disk: every recorder said so" "$(cat "$tmp/full/ended")"

cell rotated $((300 + rotations * 40)) rotated "$rotations"
for source in bpf ftrace; do
	judge "rotated, $source" '0|3' $((rotations + 1)) "$tmp/rotated/$source"-*.data
done
done_testing
