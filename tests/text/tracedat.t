# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# trace.dat files, made here record by record: real ones need trace-cmd and a host (tests/lab/readers.t).
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
dir=$(dirname "$0")

made() {
	perl "$dir/make-tracedat" >"$tmp/$1.dat"
}

report() {
	"$kt" report "$tmp/$1.dat" 2>&1 | tr -s ' \n' ' '
}

made whole <<'EOF'
cpu 0
1000100 101 entry
1000200 101 exit
1000300 101 entry
1000400 101 exit
cpu 1
1000150 102 entry
1000350 102 exit
EOF
"$kt" report "$tmp/whole.dat" 2>&1 | grep -q 'built without' && skip_all "built without libtracecmd"
like "$(report whole)" 'events: 6 on 2 CPUs; lost 0;' "a trace.dat is read"

# ---- through a pipe ----
"$kt" report "$tmp/whole.dat" >"$tmp/file" 2>&1
"$kt" report - <"$tmp/whole.dat" >"$tmp/stdin" 2>&1
# shellcheck disable=SC2002 # a file on standard input is no pipe
cat "$tmp/whole.dat" | "$kt" report - >"$tmp/pipe" 2>&1
is "$(cat "$tmp/stdin")" "$(cat "$tmp/file")" "on standard input"
is "$(cat "$tmp/pipe")" "$(cat "$tmp/file")" "through a pipe"
done_testing
