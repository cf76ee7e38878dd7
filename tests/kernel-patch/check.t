#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# make -C kernel-patch check: what it says of trees, told on a kernel of two files.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

command -v git >/dev/null || skip_all "git is not installed"
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@localhost GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@localhost
# Not this machine's: a checkpatch that objects to the word "ugly", and to layout in trace headers.
cat >"$tmp/checkpatch" <<'PERL'
$_ = pop @ARGV;
open F, $_; my ($file, $bad) = ("", 0);
while (<F>) {
	$file = $1 if m{^\+\+\+ b/(.*)};
	print("$file:1: ERROR:UGLY: not nice\n"), $bad++ if /^\+.*ugly/;
	print("$file:1: ERROR:SPACING: space\n"), $bad++ if /^\+.*\( /;
}
print "total: $bad\n" if $bad;
exit($bad != 0);
PERL
export CHECKPATCH=$tmp/checkpatch

# A kernel, version 9.9, and two patches for it: the second changes what the first added.
mkdir -p "$tmp/kp/linux-9.9" "$tmp/git/virt"
cp "$top/kernel-patch/check" "$top/kernel-patch/Makefile" "$tmp/kp/"
(
	cd "$tmp/git" && git init -q . && git config commit.gpgsign false
	printf 'VERSION = 9\nPATCHLEVEL = 9\n' >Makefile
	seq 20 >virt/timer.c
	seq 30 >virt/vgic.c
	git add . && git commit -qm base && git tag base
	sed -i 's/^5$/five\nsix/' virt/timer.c
	git commit -qam 'one' && git tag one
	sed -i 's/^six$/6/; s/^15$/fifteen/' virt/timer.c && sed -i 's/^7$/seven/' virt/vgic.c
	printf '#define A( x )\n' >virt/trace.h
	git add . && git commit -qam 'two' && git tag two
	git format-patch -q --cover-letter -o "$tmp/kp/linux-9.9" base..two
) >"$tmp/setup" 2>&1 || ok 1 "the fake kernel is made" "$(cat "$tmp/setup")"

# tree NAME TAG: a tree that is no repository, inside one that knows nothing of it.
tree() {
	mkdir -p "$tmp/outer/$1"
	git -C "$tmp/outer" init -q . 2>/dev/null
	git -C "$tmp/git" archive "$2" | tar -x -C "$tmp/outer/$1"
	echo "$tmp/outer/$1"
}

run() {
	out=$("$tmp/kp/check" "$@" 2>&1)
	rc=$?
}

run "$(tree fresh base)"
is $rc 0 "the base passes"
like "$out" "exactly those it was made for" "and is recognised"
like "$out" "already applied: none of 2" "nothing is applied"
like "$out" "patches 1 to 2 apply" "everything applies"
like "$out" "checkpatch --strict has nothing to say to 2 patches" "checkpatch ran; layout in a trace header is let pass"

run "$(tree half one)"
is $rc 0 "a tree with the first patch passes"
like "$out" "already applied: 1 to 1 of 2, the last is 0001-one" "the first is known to be there"
like "$out" "patches 2 to 2 apply" "the second applies"

run "$(tree all two)"
is $rc 0 "a tree with both passes"
like "$out" "all 2 patches are applied" "and that is said"

dir=$(tree near base)
sed -i 's/^30$/thirty/' "$dir/virt/vgic.c"
run "$dir"
is $rc 0 "a tree that is not the base, but near, passes"
like "$out" "virt/vgic.c is neither as the base has it" "the file that differs is named"
like "$out" "on a tree that is not the base: build it" "and a warning given"

dir=$(tree near-all two)
sed -i 's/^30$/thirty/' "$dir/virt/vgic.c"
run "$dir"
is $rc 0 "the series on a tree that is not the base is found"
like "$out" "all 2 patches are applied, on a tree that is not the base" "by applying it backwards"

dir=$(tree near-half one)
sed -i 's/^30$/thirty/' "$dir/virt/vgic.c"
run "$dir"
is $rc 0 "a part of the series on a tree that is not the base is found"
like "$out" "already applied: 1 to 1 of 2" "the files that do not differ say how much"
like "$out" "patches 2 to 2 apply" "and the rest is tried on that"

dir=$(tree near-new two)
echo '/* more */' >>"$dir/virt/trace.h"
run "$dir"
is $rc 0 "the series with a line more in a new file is found"
like "$out" "virt/trace.h is neither" "the file is named"
like "$out" "all 2 patches are applied, on a tree that is not the base" "though the file cannot be taken back"

dir=$(tree hurt two)
sed -i 's/^seven$/another/' "$dir/virt/vgic.c"
run "$dir"
is $rc 1 "the series with one of its lines changed fails"
like "$out" "not all there as the series has them: .*virt/vgic.c" "the file is named"

dir=$(tree far base)
sed -i 's/^7$/another/' "$dir/virt/vgic.c"
run "$dir"
is $rc 1 "a tree where a patch does not fit fails"
like "$out" "do not apply: .*virt/vgic.c" "the file is named"

dir=$(tree mixed base)
git -C "$tmp/git" show two:virt/vgic.c >"$dir/virt/vgic.c"
run "$dir"
is $rc 1 "a tree with half a patch fails"
like "$out" "some files have more patches applied than others" "and that is said"

sed -i 's/^VERSION = 9/VERSION = 8/' "$dir/Makefile"
run "$dir"
is $rc 1 "a kernel without a series fails"
like "$out" "is Linux 8.9, and there is a series for linux-9.9 only" "what there is, is said"

mkdir -p "$tmp/empty"
run "$tmp/empty"
is $rc 1 "a folder that is no kernel fails"
like "$out" "is no kernel source" "and is called so"
run "$tmp/nowhere"
is $rc 1 "a folder that is not there fails"
run --nonsense
is $rc 129 "an unknown option is misuse"

out=$(make -s -C "$tmp/kp" check KSRC="$(tree make base)" 2>&1)
like "$out" "patches 1 to 2 apply" "make check KSRC=DIR does the same"
dir=$(tree "with a space, it's" base)
out=$(make -s -C "$tmp/kp" check KSRC="$dir" 2>&1)
like "$out" "patches 1 to 2 apply" "a folder with a space and a quote"
out=$(cd "$tmp/outer" && make -s -C ../kp check KSRC="${dir##*/}" 2>&1)
like "$out" "patches 1 to 2 apply" "a folder relative to where make was called"
out=$(cd "$tmp/kp" && make -s check KSRC=../outer/make 2>&1)
like "$out" "patches 1 to 2 apply" "which may be kernel-patch itself"
out=$(cd "$tmp" && KSRC=outer/make make -s -C kp check 2>&1)
like "$out" "patches 1 to 2 apply" "KSRC may come from the environment"

run
is $rc 0 "without a source the series are checked by themselves"
like "$out" "whether the series apply was not checked" "and what was not checked is said"

mkdir "$tmp/kp/linux-9.9/controls"
git -C "$tmp/git" diff base one >"$tmp/kp/linux-9.9/controls/good.patch"
run "$(tree with-controls base)"
is $rc 0 "a control that applies passes"
like "$out" "1 controls apply, each alone" "and is counted"
git -C "$tmp/git" diff one base >"$tmp/kp/linux-9.9/controls/worse.patch"
run "$(tree with-controls base)"
is $rc 1 "a control that does not apply fails"
unlike "$out" "controls apply" "nothing is claimed"
like "$out" "control worse does not apply: .*virt/timer.c" "and is named"
rm -r "$tmp/kp/linux-9.9/controls"

CHECKPATCH=$tmp/nothing KT_LAB_CACHE=$tmp/nothing run
like "$out" "checkpatch: skipped" "without a checkpatch that is said"
echo 'die "broken";' >"$tmp/broken"
CHECKPATCH=$tmp/broken run
is $rc 1 "a checkpatch that does not run is no pass"
like "$out" "checkpatch did not run: broken" "and its reason is shown"

one=$(echo "$tmp"/kp/linux-9.9/0001-*.patch)
cp "$one" "$tmp/one"
sed -i 's/^+five/+ugly/' "$one"
run
is $rc 1 "what checkpatch finds elsewhere fails"
like "$out" "0001-one: checkpatch: virt/timer.c:1: ERROR:UGLY" "and is shown"
sed 's/^---$/Signed-off-by: A <a@localhost>\n---/' "$tmp/one" >"$one"
run
is $rc 1 "a signature fails"
like "$out" "signed off by somebody: 0001-one.patch" "whose is said"
sed 's/^index .*virt.*//; s/^index [0-9a-f]*\.\.[0-9a-f]*/index 1111111..2222222/' "$tmp/one" >"$one"
run
is $rc 1 "patches that do not follow each other fail"
like "$out" "0002-two: does not continue virt/timer.c" "the place is named"
cp "$tmp/one" "$one"
rm "$one"
run
is $rc 1 "a gap in the numbers fails"

# The series that we ship.
out=$("$top/kernel-patch/check" 2>&1)
rc=$?
is $rc 0 "our own series pass what needs no kernel source"
series=$top/kernel-patch/linux-4.3
is "$(grep -L '^From: kvmtimer-trace developers <developers@kvmtimer-trace.invalid>' "$series"/*.patch "$series"/../linux-6.12/*.patch \
	"$series"/../linux-6.12/controls/*.patch)" "" "one placeholder for the author in all patches"
[ -s "$series"/0000-cover-letter.patch ]
ok $? "linux-4.3: has a cover letter"
unlike "$(cat "$series"/0000-cover-letter.patch)" "SUBJECT HERE|BLURB HERE" "linux-4.3: which is filled in"
done_testing
