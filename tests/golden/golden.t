# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Golden stories: each NAME.events tells one thing; NAME.report and NAME.timeline
# are what a person must read out of it.  UPDATE=1 writes them anew: read the
# difference before committing it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

dir=$(dirname "$0")
for story in "$dir"/*.events; do
	name=$(basename "$story" .events)
	for view in report timeline; do
		case $view in
		report) "$kt" report "$story" >"$tmp/got" 2>&1 ;;
		timeline) "$kt" timeline --ascii --color=never --width 80 --steps --from 0s "$story" >"$tmp/got" 2>&1 ;;
		esac
		status=$?
		[ -z "${UPDATE-}" ] || cp "$tmp/got" "$dir/$name.$view"
		[ $status -eq 0 ] && diff -u "$dir/$name.$view" "$tmp/got" >"$tmp/diff" 2>&1
		ok $? "$name: $view" "$(cat "$tmp/diff" 2>/dev/null; cat "$tmp/got")"
	done
	# What dump prints tells the same story again.
	"$kt" dump "$story" >"$tmp/again.events"
	"$kt" report "$tmp/again.events" >"$tmp/got" 2>&1
	diff -u "$dir/$name.report" "$tmp/got" >"$tmp/diff" 2>&1
	ok $? "$name: told again from dump" "$(cat "$tmp/diff")"
done
done_testing
