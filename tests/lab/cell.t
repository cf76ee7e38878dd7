# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# On real KVM: every kernel, VHE and nVHE, GICv2 and GICv3 (tests/lab/cells).  A cell is one host,
# booted once, in which its parts are acted one after the other; each is judged by judge-PART.sh.
#
# jobs: a cell each, of tests/lab/cells or KT_CELLS
#
#	bash tests/lab/cell.t [CELL...]
#
# KT_PARTS='conform matrix' leaves the other parts out; KT_KEEP=DIR keeps what was recorded.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
# shellcheck source=tests/lab/judge-conform.sh
. "$(dirname "$0")/judge-conform.sh"
# shellcheck source=tests/lab/judge-matrix.sh
. "$(dirname "$0")/judge-matrix.sh"
# shellcheck source=tests/lab/judge-readers.sh
. "$(dirname "$0")/judge-readers.sh"

cells() {
	echo "${KT_CELLS-$(sed -n 's/^\([^#[:space:]]*:[^[:space:]]*\).*/\1/p' "$top/tests/lab/cells")}" | xargs -n 1
}

# A cell that the table does not know is acted without readers.
parts_of() {
	local known
	known=$(awk -v cell="$1" '$1 == cell { $1 = ""; print }' "$top/tests/lab/cells")
	echo "${KT_PARTS-${known:-conform matrix}}"
}

# What the part `readers` needs in its host; fails with the reason said if it cannot be had.
for_readers() {
	local peers events
	peers=$("$top/scripts/lab" debs peers trace-cmd linux-perf bpftrace 2>/dev/null) ||
		{ echo "trace-cmd for arm64 cannot be had"; return 1; }
	printf '\027\010\104tracing' >"$tmp/probe.dat"
	! "$kt" report "$tmp/probe.dat" 2>&1 | grep -q 'built without' || { echo "built without libtracecmd"; return 1; }
	events=$("$kt" doctor "$top/tests/text/exclude-guest.txt" | sed -n 's/^ *\(-e [a-z_]*:[a-z0-9_]*\).*/\1/p' | tr '\n' ' ')
	printf '%s\n' --rootfs "$peers" --env "EVENTS=$events" --add "$top/tests/lab/readers.sh"
}

check_cell() {
	local cell=$1 d=$tmp/$1 kernel cpu gic part more=() parts
	parts=$(parts_of "$cell")
	IFS=: read -r kernel cpu gic <<<"$cell"
	case " $parts " in *' readers '*)
		if for_readers >"$tmp/more"; then
			mapfile -t more <"$tmp/more"
		else
			skip "$cell: readers" "$(cat "$tmp/more")"
			parts=${parts/readers/}
		fi
	esac
	# shellcheck disable=SC2086 # a word for each part
	act "$cell" "$d" --timeout 1800 --kernel "$kernel" --cpu "$cpu" --gic "$gic" "${more[@]+"${more[@]}"}" -- \
		sh /lab/bin/parts.sh $parts || return
	recorded_again "$cell" "$d"
	for part in $parts; do
		"judge_$part" "$cell" "$d/$part"
	done
	keep "$d"
}

if [ "${1-}" = --jobs ]; then
	cells
	exit
fi
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"
[ $# -gt 0 ] || { mapfile -t all < <(cells); set -- "${all[@]}"; }
for cell; do
	check_cell "$cell"
done
done_testing
