# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# trace.dat files, made here record by record: real ones need trace-cmd and a host (tests/lab/judge-readers.sh).
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
"$kt" dump "$tmp/whole.dat" | awk '/^fact input\.format=/ { told = 1 } /^[0-9]/ { exit !told }'
ok $? "its format is told before its first event"

# ---- through a pipe ----
"$kt" report "$tmp/whole.dat" >"$tmp/file" 2>&1
"$kt" report - <"$tmp/whole.dat" >"$tmp/stdin" 2>&1
# shellcheck disable=SC2002 # a file on standard input is no pipe
cat "$tmp/whole.dat" | "$kt" report - >"$tmp/pipe" 2>&1
is "$(cat "$tmp/stdin")" "$(cat "$tmp/file")" "on standard input"
is "$(cat "$tmp/pipe")" "$(cat "$tmp/file")" "through a pipe"

# ---- losses that nothing of ours follows ----
made lost-at-the-end <<'EOF'
cpu 0
1000100 101 entry
1000200 101 exit
cpu 1
1000150 102 entry
1000180 102 exit
lost 40
1000300 7 other
EOF
like "$(report lost-at-the-end)" 'lost 40;' "lost, and then only events of others on that CPU"
"$kt" report --strict "$tmp/lost-at-the-end.dat" >/dev/null 2>&1
is $? 3 "and --strict says so"
made lost-on-another-cpu <<'EOF'
cpu 0
1000100 101 entry
1000200 101 exit
cpu 1
1000150 7 other
lost ?
1000300 7 other
EOF
like "$(report lost-on-another-cpu)" 'lost 1;' "lost on a CPU that has nothing of ours"
made lost-and-nothing-else <<'EOF'
cpu 0
1000100 7 other
lost 5
1000200 7 other
EOF
like "$(report lost-and-nothing-else)" 'events: 0 .*lost 5;' "lost where nothing of ours is at all"

# ---- instances ----
made instance <<'EOF'
1000100 7 other
lost 5
1000200 7 other
buffer vms
1000100 101 entry
1000200 101 exit
EOF
like "$(report instance)" 'events: 2 .*lost 0;' "the top buffer has nothing of ours: the instance is read, and its losses count"
unlike "$(report instance)" 'only one buffer' "and nothing is left out"
made instances <<'EOF'
1000100 101 entry
1000200 101 exit
buffer first
1000300 102 entry
buffer of-others
1000400 7 other
buffer second
1000500 103 entry
EOF
like "$(report instances)" 'events: 2 ' "of several buffers one is read"
like "$(report instances)" 'only one buffer of the file is read, the top one: events of KVM in 2 others were not: first, second ' \
	"and the others with events of KVM are named"
made later-instances <<'EOF'
1000100 7 other
buffer first
1000300 102 entry
1000400 102 exit
buffer second
1000500 103 entry
EOF
like "$(report later-instances)" 'is read, instance first: events of KVM in 1 other were not: second' "the instance that is read is named"
done_testing
