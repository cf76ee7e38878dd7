# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Real recordings with parts missing.  Of those that conform no draw is violated, and most rules are
# still put to the test; of those that are violated each rule stays so wherever the loss is elsewhere.
#
#	bash tests/lossy/recordings.t [DIR]	(or KT_RECORDINGS=DIR)
#
# DIR: what the lab's cells kept (KT_KEEP=DIR bash tests/lab/conform.t), or any folder with *.data in
# it.  50 draws of each kind, 1,000 with KT_SOAK=1; KT_SEED=N draws others; KT_KEEP_FAILED=DIR keeps
# the files that failed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

dir=${1-${KT_RECORDINGS-}}
[ -n "$dir" ] || skip_all "no recordings: KT_RECORDINGS=DIR names a folder that the lab's cells filled"
draws=50
[ -z "${KT_SOAK-}" ] || draws=1000
failed=${KT_KEEP_FAILED-}
[ -z "$failed" ] || mkdir -p "$failed"

lossy() { "$build/lossy" -n "$draws" -s "${KT_SEED-1}" ${failed:+--keep "$failed"} "$@" >"$tmp/out" 2>&1; }
shown() { grep -E 'judged|kept' "$tmp/out" | sed 's/^.*\.data: //' | paste -sd ';'; }

conforming=0
while IFS= read -r -d '' file; do
	name=${file#"$dir"/}
	"$kt" check --examples 0 "$file" >"$tmp/verdict" 2>/dev/null
	case $? in
	0)
		conforming=$((conforming + 1))
		lossy "$file"
		ok $? "$name: $(shown)" "$(cat "$tmp/out")"
		;;
	2)
		mapfile -t rules < <(awk '/ broken$/ && $1 ~ /^[A-Z][0-9]+$/ { print $1 }' "$tmp/verdict")
		for rule in "${rules[@]}"; do
			lossy "--expect=keeps-$rule" "$file"
			ok $? "$name: $rule: $(shown)" "$(cat "$tmp/out")"
		done
		;;
	*)
		skip "$name" "$(head -n 1 "$tmp/verdict")"
		;;
	esac
done < <(find "$dir" -name '*.data' -print0 | sort -z)
[ $conforming -ge 1 ]
ok $? "conforming recordings judged: $conforming"
done_testing
