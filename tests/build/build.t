# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The build: the same bytes from any folder, rebuilt when what it is made with
# changes and only then, with either compiler, and with or without recording.
#
# One tree, built as it is released only where bytes are compared: -O0 else.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS KT_BUILD CFLAGS CC

[ -e "$top/.git" ] || skip_all "the list of files comes from git"
here=$tmp/a there=$tmp/another/and/longer/path fast='CFLAGS=-O0 -g'

# The source as a release has it: no git around it, a VERSION file.
mkdir -p "$here" "$(dirname "$there")"
(cd "$top" && git ls-files -z | xargs -0 cp --parents -t "$here")
echo test-1 >"$here/VERSION"

make -s -C "$here" >"$tmp/log" 2>&1
ok $? "builds from a release's files" "$(cat "$tmp/log")"
is "$("$here/build/kvmtimer-trace" --version)" "kvmtimer-trace test-1" "the version is the release's"
mv "$here/build" "$tmp/first"
mv "$here" "$there"
make -s -C "$there" O="$tmp/elsewhere" >"$tmp/log" 2>&1
ok $? "builds in another place, with O= outside" "$(cat "$tmp/log")"
cmp "$tmp/first/kvmtimer-trace" "$tmp/elsewhere/kvmtimer-trace" >"$tmp/log" 2>&1
ok $? "both are the same, byte for byte" "$(cat "$tmp/log")"

# made OPTION...: what make says it does
made() {
	make -C "$there" O="$tmp/elsewhere" "$@" 2>&1 | grep -E '^  [A-Z]+ ' | sort
}
kt=$tmp/elsewhere/kvmtimer-trace
is "$(made)" "" "a second make has nothing to do"
like "$(made "$fast")" 'CC .*lib/model.o' "other CFLAGS rebuild the objects"
is "$(made "$fast")" "" "the same CFLAGS do not"
echo test-2 >"$there/VERSION"
unlike "$(made "$fast")" 'model.o' "a new version compiles only what shows it"
is "$("$kt" --version)" "kvmtimer-trace test-2" "and it shows"
like "$(made "$fast" WITH_BPF=0)" 'LD +kvmtimer-trace' "without BPF: linked anew"
like "$("$kt" record 2>&1)" 'cannot record' "which is said by record"
if command -v clang >/dev/null; then
	make -s -C "$there" O="$tmp/elsewhere" "$fast" CC=clang all check-headers >"$tmp/log" 2>&1
	ok $? "builds with CC=clang" "$(cat "$tmp/log")"
else
	skip "builds with CC=clang" "no clang"
fi
like "$(made "$tmp/elsewhere/obj/lib/model.o")" 'CC .*lib/model.o' "back to the first CFLAGS: rebuilt"
done_testing
