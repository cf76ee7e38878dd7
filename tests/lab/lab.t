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

# ---- the ends that are not the command's ----

"$top/scripts/lab" run --timeout 1 -- 'sleep 600' >"$tmp/stdout" 2>"$tmp/stderr"
is $? 124 "no end in time is status 124"
like "$(cat "$tmp/stderr")" 'no end after 1 s' "and it is said"
"$top/scripts/lab" run --add "$tmp/none" -- true >"$tmp/stdout" 2>"$tmp/stderr"
is $? 125 "the lab's own failure is status 125"
"$top/scripts/lab" run --frobnicate >"$tmp/stdout" 2>"$tmp/stderr"
is $? 129 "misuse is status 129"
done_testing
