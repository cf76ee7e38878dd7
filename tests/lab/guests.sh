#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs inside a lab host: records guests one after the other.  Each line of
# /lab/guests is a name, options of the VMM, and parameters of the guest.
cd /lab || exit 1

while read -r name words; do
	options='' parameters=''
	for word in $words; do
		case $word in
		[a-z]*=*) parameters="$parameters $word" ;;
		*) options="$options $word" ;;
		esac
	done
	kvmtimer-trace record -q --detail lr -o "$KT_OUT/$name.data" -- sh -c "
		vmm --timeout 30 $options /lab/bin/guest.bin $parameters
		echo status=\$?" >"$KT_OUT/$name.guest" 2>&1
done </lab/guests
# A kernel that complained is part of what was seen.
dmesg | grep -E 'WARNING:|BUG:|rcu_sched|soft lockup' >"$KT_OUT/complaints"
exit 0
