# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2154
# What the scripts that record inside a lab host share: telling who did not get through, and
# recording again what may be.  Each run sets $name, $status and $files, its recordings.

# got_through NAME STATUS: a guest or recorder that failed is told, and never repeated.
got_through() {
	[ "$2" = 0 ] || echo "$1: status $2" >>"$KT_OUT/failed"
}

whole() {
	for file in $files; do
		kvmtimer-trace report --strict "$file" >/dev/null 2>&1 || return
	done
}

# lossless COMMAND...: a run that is compared, so nothing may be lost.  The kernel skips a program
# or a probe on top of itself, which counts as lost: such a run is recorded again, four times at
# the most (a run of a few thousand events loses one in perhaps one take of ten).  Each is told in
# $KT_OUT/again; what was recorded stays beside it, as NAME.first.N.SUFFIX, and is judged too.
# With judged_only the last take may have lost something: it is compared with nothing.
lossless() {
	for take in 1 2 3 4 5; do
		"$@"
		[ "$status" = 0 ] || return
		whole && return
		[ $take -lt 5 ] || break
		for file in $files; do
			mv "$file" "${file%.*}.first.$take.${file##*.}"
		done
		echo "$name" >>"$KT_OUT/again"
	done
	[ -n "${judged_only-}" ] || echo "$name" >>"$KT_OUT/lossy"
}

# await SECONDS COMMAND...: until it succeeds; what never does is told
await() {
	seconds=$1
	shift
	tenths=$((seconds * 10))
	until "$@" 2>/dev/null; do
		tenths=$((tenths - 1))
		[ $tenths -gt 0 ] || { echo "$* was not so within $seconds s" >>"$KT_OUT/failed"; return 1; }
		sleep 0.1
	done
}
