# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The build: the same bytes from any folder, rebuilt when what it is made with
# changes and only then, with either compiler, and with or without recording.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
unset MAKEFLAGS MAKELEVEL MFLAGS KT_BUILD CFLAGS CC

# The source as a release has it: no git around it, a VERSION file.
tree() {
	mkdir -p "$1"
	(cd "$top" && git ls-files -z | xargs -0 cp --parents -t "$1")
	echo test-1 >"$1/VERSION"
}
[ -e "$top/.git" ] || skip_all "the list of files comes from git"
a=$tmp/a b=$tmp/another/and/longer/path
tree "$a"
tree "$b"

make -s -C "$a" >"$tmp/log" 2>&1
ok $? "builds from a release's files" "$(cat "$tmp/log")"
is "$("$a/build/kvmtimer-trace" --version)" "kvmtimer-trace test-1" "the version is the release's"
make -s -C "$b" O="$tmp/elsewhere" >"$tmp/log" 2>&1
ok $? "builds elsewhere, with O= outside" "$(cat "$tmp/log")"
cmp "$a/build/kvmtimer-trace" "$tmp/elsewhere/kvmtimer-trace" >"$tmp/log" 2>&1
ok $? "both are the same, byte for byte" "$(cat "$tmp/log")"

# made OPTION...: what make says it does
made() {
	make -C "$a" "$@" 2>&1 | grep -E '^  [A-Z]+ ' | sort
}
is "$(made)" "" "a second make has nothing to do"
like "$(made CFLAGS='-O1 -g')" 'CC .*lib/model.o' "other CFLAGS rebuild the objects"
is "$(made CFLAGS='-O1 -g')" "" "the same CFLAGS do not"
like "$(made)" 'CC .*lib/model.o' "back again: rebuilt"
echo test-2 >"$a/VERSION"
unlike "$(made)" 'model.o' "a new version compiles only what shows it"
is "$("$a/build/kvmtimer-trace" --version)" "kvmtimer-trace test-2" "and it shows"
like "$(made WITH_BPF=0)" 'LD +kvmtimer-trace' "without recording: linked anew"
like "$("$a/build/kvmtimer-trace" record 2>&1)" 'cannot record' "which is said by record"
if command -v clang >/dev/null; then
	make -s -C "$b" CC=clang all check-headers >"$tmp/log" 2>&1
	ok $? "builds with CC=clang" "$(cat "$tmp/log")"
else
	skip "builds with CC=clang" "no clang"
fi
done_testing
