# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The lab itself: what a command in the host says is what the caller gets, byte by byte.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"
"$top/scripts/lab" fetch 5.10 6.12 2>"$tmp/log" || skip_all "no kernels: $(tail -n 1 "$tmp/log")"

# same FILE WANTED NAME
same() {
	cmp "$1" "$2" >"$tmp/cmp" 2>&1
	ok $? "$3" "$(cat "$tmp/cmp"; head -c 2000 "$1" | od -c | head -n 20)"
}

# ---- several words: passed on exactly ----

cat >"$tmp/says" <<'SAYS'
printf '<%s>\n' "$@" >"$KT_OUT/args"
printf '%s' "$LAB_WORD" >"$KT_OUT/env"
cat /lab/bin/bytes
dd if=/dev/zero bs=65536 count=80 2>/dev/null | tr '\0' 'x'
printf 'first\n\001\377no newline at the end' >&2
# A file from a time to come: what unpacks it here has nothing to say in COMMAND's name.
touch -d '2037-01-01 00:00' "$KT_OUT/future"
exit 37
SAYS
for i in $(seq 0 255); do
	# shellcheck disable=SC2059
	printf "\\x$(printf %02x "$i")"
done >"$tmp/bytes"
words=('two words' '' "it's" '"quoted"' "\$HOME \`id\` \$(id)" '*' 'back\slash' $'new\nline' '-n' '--' 'a;b|c&d>e' ' ä ')
lf=$'\n'
"$top/scripts/lab" run --add "$tmp/says" --add "$tmp/bytes" --env "LAB_WORD=it's \$1${lf}line 2" --out "$tmp/out" -- \
	sh /lab/bin/says "${words[@]}" >"$tmp/stdout" 2>"$tmp/stderr"
is $? 37 "the command's status is the lab's"
printf 'first\n\001\377no newline at the end' >"$tmp/wanted"
same "$tmp/stderr" "$tmp/wanted" "stderr is the command's, to the byte"
{
	cat "$tmp/bytes"
	dd if=/dev/zero bs=65536 count=80 2>/dev/null | tr '\0' 'x'
} >"$tmp/wanted"
same "$tmp/stdout" "$tmp/wanted" "stdout: every byte there is, and 5 MiB more"
printf '<%s>\n' "${words[@]}" >"$tmp/wanted"
same "$tmp/out/args" "$tmp/wanted" "arguments arrive as they were given: quotes, newlines, nothing, stars"
printf '%s' "it's \$1${lf}line 2" >"$tmp/wanted"
same "$tmp/out/env" "$tmp/wanted" "so does --env"
[ -e "$tmp/out/future" ]
ok $? "files left in \$KT_OUT come back"

# ---- one word: a shell command line; nothing said is nothing heard ----

"$top/scripts/lab" run --kernel 5.10 -- 'x=$(uname -r); [ "${x%.*}" != "$x" ] && exit 0' >"$tmp/stdout" 2>"$tmp/stderr"
is $? 0 "one word is a command line for the shell"
is "$(cat "$tmp/stdout" "$tmp/stderr")" "" "a command that is quiet is quiet"

# ---- what is printed is heard while the command runs ----

# Each line with the seconds since the start: the second one comes three seconds after the first.
cat >"$tmp/slow" <<'SLOW'
echo one
echo "to stderr, by name" >/dev/stderr
sleep 3
echo two
cat /lab/bin/bytes
SLOW
# In 5.10 the ports' driver is a module, as in 6.1; in 7.x it is built in, as in 6.12.
for kernel in 5.10 7.x; do
	if ! "$top/scripts/lab" fetch $kernel 2>"$tmp/log"; then
		skip "$kernel: streams" "no kernel: $(tail -n 1 "$tmp/log")"
		continue
	fi
	"$top/scripts/lab" run --kernel $kernel --add "$tmp/slow" --add "$tmp/bytes" -- sh /lab/bin/slow 2>"$tmp/stderr" | {
		IFS= read -r first && at=$EPOCHREALTIME
		IFS= read -r second && later=$EPOCHREALTIME
		printf '%s\n' "$first" "$second" $(((${later/./} - ${at/./}) / 1000)) >"$tmp/heard"
		cat >"$tmp/rest"
	}
	is "$(head -n 2 "$tmp/heard" | tr '\n' ' ')" "one two " "$kernel: the output arrives" "$(cat "$tmp/stderr")"
	apart=$(sed -n 3p "$tmp/heard")
	[ "$apart" -ge 2000 ]
	ok $? "$kernel: as it is printed: three seconds lie between two lines ($apart ms here)"
	is "$(cat "$tmp/stderr")" "to stderr, by name" "$kernel: stderr may be opened again by its name"
	same "$tmp/rest" "$tmp/bytes" "$kernel: every byte there is"
done

# ---- programs of --rootfs come before busybox's ----

mkdir -p "$tmp/root/usr/bin" "$tmp/root/bin"
printf '#!/bin/busybox sh\necho mine\n' >"$tmp/root/usr/bin/cal"
printf '#!/bin/busybox sh\necho "my shell"\nexec /bin/busybox sh "$@"\n' >"$tmp/root/bin/sh"
chmod +x "$tmp/root/usr/bin/cal" "$tmp/root/bin/sh"
"$top/scripts/lab" run --rootfs "$tmp/root" -- 'which cal; which tac' >"$tmp/stdout" 2>"$tmp/stderr"
is "$(tr '\n' ' ' <"$tmp/stdout")" "my shell /usr/bin/cal /bin/tac " "--rootfs: its shell is used, its programs come first in PATH" \
	"$(cat "$tmp/stderr")"

# ---- the ends that are not the command's ----

"$top/scripts/lab" run --timeout 1 -- 'sleep 600' >"$tmp/stdout" 2>"$tmp/stderr"
is $? 124 "no end in time is status 124"
like "$(cat "$tmp/stderr")" 'no end after 1 s' "and it is said"

# A command that does not end even when it is told to.
cat >"$tmp/stubborn" <<'STUBBORN'
trap 'echo told >>"$KT_OUT/told"' TERM
echo printed
echo "printed too" >&2
echo "left behind" >"$KT_OUT/left"
while :; do sleep 1; done
STUBBORN
for icount in '' --icount; do
	rm -rf "$tmp/out"
	# shellcheck disable=SC2086
	"$top/scripts/lab" run $icount --timeout 30 --add "$tmp/stubborn" --console "$tmp/console" --out "$tmp/out" -- \
		sh /lab/bin/stubborn >"$tmp/stdout" 2>"$tmp/stderr"
	is $? 124 "timed out${icount:+ with $icount}: status 124" "$(cat "$tmp/stderr")"
	is "$(cat "$tmp/stdout")" printed "timed out${icount:+ with $icount}: what was printed is not lost"
	like "$(cat "$tmp/stderr")" '^printed too' "timed out${icount:+ with $icount}: on stderr neither"
	is "$(cat "$tmp/out/left" "$tmp/out/told")" "left behind
told" "timed out${icount:+ with $icount}: nor what was left in \$KT_OUT; the command was told to end"
	[ -s "$tmp/console" ]
	ok $? "timed out${icount:+ with $icount}: the console is kept"
done

rm -rf "$tmp/out" "$tmp/console"
"$top/scripts/lab" run --save 2 --console "$tmp/console" --out "$tmp/out" -- \
	'echo "last words"; echo saved >$KT_OUT/saved; sleep 15; echo c >/proc/sysrq-trigger; sleep 600' >"$tmp/stdout" 2>"$tmp/stderr"
is $? 125 "a host that dies is the lab's failure" "$(cat "$tmp/stderr")"
is "$(cat "$tmp/stdout")" "last words" "a host that dies: what was printed is not lost"
is "$(cat "$tmp/out/saved")" saved "a host that dies: nor what --save saved"
like "$(cat "$tmp/console")" 'sysrq' "a host that dies: its console is kept" "$(tail -n 20 "$tmp/console")"
"$top/scripts/lab" run --add "$tmp/none" -- true >"$tmp/stdout" 2>"$tmp/stderr"
is $? 125 "the lab's own failure is status 125"
"$top/scripts/lab" run --frobnicate >"$tmp/stdout" 2>"$tmp/stderr"
is $? 129 "misuse is status 129"
done_testing
