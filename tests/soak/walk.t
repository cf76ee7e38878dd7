# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Random runs of the reference machine, many and other ones each time: the seed is the number of the soak.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

walk=$build/walk
seed=${KT_SEED:-1} runs=${KT_WALK_RUNS:-100000}
for s in edge level level-sync-clear lazy mapped userspace; do
	for more in "" "-c 2" "-v 2" "-v 2 -c 2"; do
		# shellcheck disable=SC2086
		"$walk" -s $s $more -r "$seed" -n "$runs" -l 150 >"$tmp/table"
		is "$(grep -v '^#' "$tmp/table" | grep -vc 'broken=ok$')" 0 "$s $more: seed $seed, $runs runs: no property breaks" \
			"$(grep -v 'broken=ok$' "$tmp/table" | head)"
		tally "walk $s $more" "$(grep -vc '^#' "$tmp/table")"
	done
done
done_testing
