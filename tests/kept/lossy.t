# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Real recordings with parts missing.  Of those that conform no draw is violated, and most rules are
# still put to the test; of those that are violated each rule stays so wherever the loss is elsewhere.
#
#	bash tests/kept/lossy.t [DIR]
#
# Without DIR twenty of the conforming recordings that tests/lab/cell.t kept (KT_KEEP), all of them in a
# soak; DIR is any folder with *.data in it, those of broken kernels too.  KT_DRAWS draws of each kind
# (50), KT_SEED=N draws others; KT_KEEP_FAILED=DIR keeps the files that failed.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

draws=${KT_DRAWS:-50}
keep=${KT_KEEP:-$build/kept}
dir=${1-$keep}
if [ $# -gt 0 ]; then
	find "$dir" -name '*.data' | sort >"$tmp/files"
else
	for list in "$keep"/*/conform/conforming; do
		[ -e "$list" ] || skip_all "no recordings in $keep: KT_KEEP=$keep bash tests/lab/cell.t"
		sed "s|^|$(dirname "$list")/|" "$list"
	done >"$tmp/all"
	# Twenty, evenly: some of each cell.
	if [ -n "${KT_SOAK_DIR-}" ]; then
		cat "$tmp/all"
	else
		awk -v all="$(wc -l <"$tmp/all")" 'int(NR * 20 / all) > int((NR - 1) * 20 / all)' "$tmp/all"
	fi >"$tmp/files"
fi
failed=${KT_KEEP_FAILED-}
[ -z "$failed" ] || mkdir -p "$failed"

lossy() { "$build/lossy" -n "$draws" -s "${KT_SEED-1}" ${failed:+--keep "$failed"} "$@" >"$tmp/out" 2>&1; }
shown() { grep -E 'judged|kept' "$tmp/out" | sed 's/^.*\.data: //' | paste -sd ';'; }

conforming=0
while IFS= read -r file; do
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
done <"$tmp/files"
[ $conforming -ge 1 ]
ok $? "conforming recordings judged: $conforming"
done_testing
