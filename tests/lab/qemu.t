# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A guest as people run it: Debian's arm64 QEMU with -accel kvm boots a Debian
# kernel with two vCPUs inside the lab host, under the recorder.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
command -v qemu-system-aarch64 >/dev/null || skip_all "qemu-system-aarch64 is missing: scripts/deps lab"

cache=${KT_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvmtimer-trace}
"$top/scripts/lab" fetch 6.12 2>"$tmp/log" && debs=$("$top/scripts/lab" debs qemu qemu-system-arm 2>>"$tmp/log")
ok $? "Debian's arm64 QEMU is there" "$(cat "$tmp/log")"

mkdir -p "$tmp/guest/bin"
cp "$cache/busybox" "$tmp/guest/bin/busybox"
cat >"$tmp/guest/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /proc /sys
mount -t proc proc /proc
mount -t sysfs sys /sys
echo "guest prompt: $(nproc) CPUs, $(uname -r)"
for i in 1 2 3 4 5; do sleep 0.1; done
dd if=/dev/zero of=/dev/null bs=64k count=2000 2>/dev/null
echo "guest done: $(grep -c arch_timer /proc/interrupts) timer line"
poweroff -f
INIT
chmod +x "$tmp/guest/init"
(cd "$tmp/guest" && find . | cpio -o -H newc --quiet -R 0:0) >"$tmp/guest.cpio"

# The kernel may skip a program on top of itself: counted as lost, and nothing can be judged then.
for _ in 1 2 3 4; do
	"$top/scripts/lab" run --mem 2600 --smp 2 --timeout 400 --rootfs "$debs" --out "$tmp/out" \
		--add "$cache/kernels/6.12/vmlinuz:/lab/vmlinuz" --add "$tmp/guest.cpio:/lab/guest.cpio" \
		--add "$build/arm64/kvmtimer-trace.stripped:/lab/bin/kvmtimer-trace" -- \
		'kvmtimer-trace record -q --buffer-size 8M --detail lr -o "$KT_OUT/qemu.data" -- \
		 qemu-system-aarch64 -M virt,gic-version=host -cpu host -accel kvm -smp 2 -m 256 \
		 -name guest=realvm,debug-threads=on -kernel /lab/vmlinuz -initrd /lab/guest.cpio \
		 -append "console=ttyAMA0 quiet" -display none -serial stdio -monitor none -nic none -no-reboot' >"$tmp/log" 2>&1
	status=$?
	"$kt" report --strict "$tmp/out/qemu.data" >/dev/null 2>&1 && break
done
ok "$status" "the guest booted and ended" "$(tail -n 30 "$tmp/log")"
like "$(cat "$tmp/log")" 'guest prompt: 2 CPUs' "the guest reached its prompt with two vCPUs"
report=$("$kt" report "$tmp/out/qemu.data" 2>&1)
like "$report" '^ +[0-9]+  realvm +[0-9]+ +2 GICv3' "the VM has the name that QEMU was given"
like "$report" '^[0-9]\.0 +CPU 0/KVM' "vCPU 0 has its thread's name"
like "$report" '^[0-9]\.1 +CPU 1/KVM' "vCPU 1 has its thread's name"
like "$report" 'not attributed [0-9,]+ \(timer events 0\)' "every timer event is attributed"
like "$report" '^wfi +[1-9]' "a Linux guest sleeps: WFI exits"
like "$report" '^vtimer  lr-to-guest' "its interrupts are followed to the guest"
like "$("$kt" timeline --around rise:20 --span 5ms --steps "$tmp/out/qemu.data")" 'vtimer lr +pending -> empty|vtimer lr +active -> empty' \
	"the list register is seen to empty"
"$kt" check --json "$tmp/out/qemu.data" >"$tmp/json"
is $? 0 "a Linux guest under QEMU: no rule is broken" "$("$kt" check --examples 1 "$tmp/out/qemu.data")"
[ "$(sed -n 's/^ *"rules_exercised":\([0-9]*\).*/\1/p' "$tmp/json")" -ge 20 ]
ok $? "and at least 20 rules are put to the test"
done_testing
