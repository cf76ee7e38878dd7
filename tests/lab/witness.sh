# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
# What the .t files of the lab share: running cell.sh in a host, and comparing a
# recording with what its witnesses counted.

lab() {
	"$top/scripts/lab" run --timeout 900 --mem 1500 --add "$build/arm64/kvmtimer-trace.stripped:/lab/bin/kvmtimer-trace" \
		--add "$build/lab/vmm" --add "$build/lab/stall" --add "$build/lab/guest.bin" --add "$top/tests/lab/cell.sh" \
		--add "$top/tests/lab/takes.sh" --add "$top/tests/lab/parts.sh" "$@"
}

# keep DIR [FOLDER]: with KT_KEEP, what a cell recorded stays there
keep() {
	[ -z "${KT_KEEP-}" ] || { mkdir -p "$KT_KEEP/${2-}" && cp -r "$1" "$KT_KEEP/${2-}"; }
}

# How long the machine may have stood still, at most, for a cell that did not get through to be
# judged for it.  No guest gives up before 20 s, and the smallest ring of a recording that must be
# lossless holds 5 s of the fastest guest: a stop of less than two seconds explains neither.  On
# two cores with a load of ten the longest stop of a cell was 0.93 s, and it got through.
stall_limit_ms=2000

# not_through STATUS DIR: what the lab's status and the parts of a cell say went wrong, if anything
not_through() {
	[ "$1" = 0 ] || echo "the lab: status $1"
	cat "$2"/failed "$2"/*/failed 2>/dev/null
	sed 's/$/: events were lost each time/' "$2"/lossy "$2"/*/lossy 2>/dev/null
}

# stall_ms DIR: the longest stop that the host saw; nothing if it could not tell
stall_ms() {
	sed -n 's/^longest_us=\([0-9]*\)[0-9]\{3\} .*/\1/p' "$1/stall" 2>/dev/null
}

# tell KIND WHAT: for the last lines of scripts/run-tests, and for who looks on
tell() {
	echo "# $1: $2" >&2
	[ -z "${KT_RETAKES-}" ] || echo "$1: $2" >>"$KT_RETAKES"
}

# Debian's 5.10 and 6.1 do not arm the soft timer of an emulated timer whose line has just fallen
# (mended in 6.14 by b450dcce93bc, and in 6.12's stable series): on nVHE hosts a guest that uses its
# physical timer waits until the vCPU is loaded again.  That is no conforming run, and check says so.
known_broken() {
	case $1/$2 in
	5.10:cortex-a72:*/ptimer | 6.1:cortex-a72:*/ptimer) echo I18 ;;
	esac
}

# The rules that check finds broken: broken OUTPUT-OF-CHECK-JSON
broken() {
	awk '/"id":/ { gsub(/[",]/, ""); sub(/.*:/, ""); id = $0 } /"verdict":"violated"/ { print id }' "$1" | xargs
}

# no_alarm CELL FILE...: what is taken again is judged all the same
no_alarm() {
	local cell=$1 file name found
	shift
	for file; do
		[ -s "$file" ] || continue
		name=${file##*/}
		"$kt" check --json "$file" >"$tmp/alarm" 2>/dev/null
		found=$(broken "$tmp/alarm")
		[ -z "$found" ] || [ "$found" = "$(known_broken "$cell" "${name%%.*}")" ]
		ok $? "$cell: $name, taken again: ${found:-nothing} broken"
	done
}

# recorded_again NAME DIR: what lost an event, and was recorded once more in the same host
recorded_again() {
	local name=$1 d=$2 what
	while read -r what; do
		tell "recorded again" "$name: $what"
	done < <(find "$d" -name again -exec cat {} +)
	# shellcheck disable=SC2046 # no name has a space
	no_alarm "$name" $(find "$d" -name '*.first.*')
}

# act NAME DIR OPTIONS... -- COMMAND: a host, and what it left in DIR.  It is booted again, once,
# only if it did not get through and stood still for longer than the limit; if it did so twice its
# tests are skipped, and this fails.  Whether a rule is broken is nothing that is taken again.
act() {
	local name=$1 d=$2 status stall why take
	shift 2
	for take in 1 2; do
		rm -rf "$d"
		lab --out "$d" "$@" >"$tmp/log" 2>&1
		status=$?
		why=$(not_through $status "$d" | paste -sd ';' -)
		stall=$(stall_ms "$d")
		if [ -z "$why" ] || [ "${stall:-0}" -le $stall_limit_ms ]; then
			break
		fi
		# shellcheck disable=SC2046 # no name has a space
		no_alarm "$name" $(find "$d" -name '*.data' -o -name '*.bpf' -o -name '*.ftrace')
		if [ $take = 2 ]; then
			keep "$d" second-take
			skip "$name" "the host stood still for $stall ms: $why"
			tell skipped "$name: stood still for $stall ms, twice: $why"
			return 1
		fi
		tell "taken again" "$name: stood still for $stall ms: $why"
		keep "$d" first-take
	done
	is "$why" "" "$name: the host, its guests and its recorders got through (longest stop ${stall:-unknown} ms)" "$(cat "$tmp/log")"
	[ $status -eq 0 ]
}

# A number out of report --json: "key": N
number() {
	sed -n "s/^ *\"$2\":\([0-9]*\),\{0,1\}\$/\1/p" "$1" | head -n 1
}

# kind_count REPORT TABLE KIND: count in totals.by_kind or lost_by_kind
kind_count() {
	awk -v table="\"$2\"" -v kind="\"$3\":" '
		index($0, table) { on = 1 }
		on && index($0, kind) { sub(/.*:/, ""); sub(/,/, ""); print; found = 1; exit }
		on && /}/ { exit }
		END { if (!found) print 0 }' "$1"
}

# updates NAME DUMP BY-VCPU LOST: each vCPU's update_irq events against the kprobe's count
# by vCPU pointer.  The kernel skips a program that an interrupt finds running: such
# events are counted as lost, so the difference must be exactly that number, and no
# vCPU may have more than happened.
updates() {
	awk '/^ident/ { for (i = 3; i <= NF; i++) if ($i ~ /^vcpu=/) v[$2] = substr($i, 8) }
		$4 ~ /^update_irq/ { n[v[$3]]++ }
		END { for (p in n) print p, n[p] }' "$2" | sort >"$tmp/ours"
	sed -n 's/^{ vcpu: *\(0x\)\{0,1\}\([0-9a-f]*\) *} hitcount: *\([0-9]*\)/\2 \3/p' "$3" | sort >"$tmp/theirs"
	is "$(cut -d' ' -f1 "$tmp/ours")" "$(cut -d' ' -f1 "$tmp/theirs")" "$1: the vCPUs are the kprobe's, by pointer"
	is "$(join "$tmp/ours" "$tmp/theirs" | awk '{ if ($2 > $3) bad = 1; n += $3 - $2 } END { print bad ? "more than happened" : n + 0 }')" \
		"$4" "$1: updates per vCPU equal the kprobe's count but for $4 lost"
}

# tell_the_same NAME [OPTIONS...] A B: two recordings of one run.  What they may differ in stands in
# docs/inputs.md; a tolerance of order that was used is shown.
tell_the_same() {
	local name=$1 status
	shift
	"$build/same" "$@" >"$tmp/same" 2>&1
	status=$?
	ok $status "$name tell $(grep -E '^(the same|different): ' "$tmp/same")" "$(cat "$tmp/same")"
	sed -n '/ on the other side of \| these orders /s/^ */# /p' "$tmp/same"
}
