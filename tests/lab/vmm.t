# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# The lab's VMM: its interrupt controller in user space works whatever the vCPUs are
# called, on the last kernel that names them by index and the first that does by id;
# what it cannot do it says.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"

cat >"$tmp/cell" <<'CELL'
guest=/lab/bin/guest.bin
act() {
	name=$1
	shift
	vmm --timeout 60 "$@" >"$KT_OUT/$name" 2>&1
	echo "status $?" >>"$KT_OUT/$name"
}
act two-ids --gic none --id-base 1 --vcpus 2 $guest scenario=periodic n=5
act high-id --gic none --id-base 260 $guest scenario=uirq n=2
act uirq --gic none $guest scenario=uirq n=2
act uirq-vgic $guest scenario=uirq n=2
act ppi --vtimer-ppi 25 --ptimer-ppi 24 $guest scenario=periodic n=5
act ppi-none --gic none --vtimer-ppi 25 $guest scenario=uirq n=2
CELL

for kernel in 6.1 6.12; do
	d=$tmp/$kernel
	"$top/scripts/lab" run --kernel "$kernel" --add "$build/lab/vmm" --add "$build/lab/guest.bin" --add "$tmp/cell" \
		--out "$d" -- sh /lab/bin/cell >"$tmp/log" 2>&1
	ok $? "$kernel: the host booted and acted" "$(cat "$tmp/log")"
	# Each may take one more before its guest has turned the timer off.
	like "$(tr '\n' ' ' <"$d/two-ids")" 'vcpus=2 taken=1[0-2] .*ok=1 status 0' "$kernel: ids 1 and 2: each vCPU gets its own interrupts"
	like "$(tr '\n' ' ' <"$d/high-id")" 'taken=2 raised=2 cancelled=2 .*ok=1 status 0' "$kernel: an id of more than 8 bits"
	like "$(tr '\n' ' ' <"$d/uirq")" 'taken=2 raised=2 cancelled=2 .*ok=1 status 0' "$kernel: raised and cancelled are both seen"
	like "$(tr '\n' ' ' <"$d/uirq-vgic")" 'uirq: .*--gic none status 1' "$kernel: uirq refuses a VM with a vgic, where it would test nothing"
	like "$(tr '\n' ' ' <"$d/ppi")" 'taken=[56] .*ok=1 status 0' "$kernel: PPIs can be moved"
	like "$(tr '\n' ' ' <"$d/ppi-none")" 'a VM with a vgic only.* status 1' "$kernel: but not without a vgic, and why is said"
done
done_testing
