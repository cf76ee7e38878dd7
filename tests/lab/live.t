# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# check on a running host: a verdict at the end, and what surrounds a violation saved when it shows.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/lab/witness.sh
. "$(dirname "$0")/witness.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"

d=$tmp/live
lab --kernel 6.1 --cpu max --gic 3 --out "$d" -- sh /lab/bin/cell.sh live >"$tmp/log" 2>&1
ok $? "the host booted and acted" "$(cat "$tmp/log")"
recorded_again live "$d"
is "$(cat "$d/failed" 2>/dev/null)" "" "its guest and its recorders got through"
like "$(cat "$d/conforming")" '^CONFORMS: [2-9][0-9] rules' "a conforming guest: the verdict" "$(cat "$d/conforming.err")"
like "$(tail -n 1 "$d/conforming")" 'status 0' "and status 0"
like "$(cat "$d/broken")" '^E3  target .* violated' "a level for the wrong vCPU: the rule"
like "$(tail -n 1 "$d/broken")" 'status 2' "and status 2, after an interrupt from the terminal"
is "$(cat "$d/told")" "E3 violation-E3.data" "the command of --on-violation was told which rule and which file"
"$kt" check --rule E3 "$d/violation-E3.data" >"$tmp/again"
is $? 2 "the saved file shows it again" "$(cat "$tmp/again")"
like "$(cat "$tmp/again")" '\^ here' "with the point in the picture"
like "$(tail -n 1 "$d/stopped")" 'status 2' "--on-violation stop ends it by itself"
like "$(cat "$d/nobody")" 'there is no process 999999' "a pid of nobody: said"
like "$(tail -n 1 "$d/nobody")" 'status 1' "and status 1"
done_testing
