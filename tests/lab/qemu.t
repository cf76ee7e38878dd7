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

# One run, recorded by both sources at once: what they say of it must agree.
"$top/scripts/lab" run --mem 2600 --smp 2 --timeout 600 --rootfs "$debs" --out "$tmp/out" \
	--add "$cache/kernels/6.12/vmlinuz:/lab/vmlinuz" --add "$tmp/guest.cpio:/lab/guest.cpio" \
	--add "$build/arm64/kvmtimer-trace.stripped:/lab/bin/kvmtimer-trace" -- \
	'kvmtimer-trace record -q --source bpf --buffer-size 8M --detail lr -o "$KT_OUT/bpf.data" -- \
	 kvmtimer-trace record -q --source ftrace --buffer-size 8M --detail lr -o "$KT_OUT/ftrace.data" -- \
	 qemu-system-aarch64 -M virt,gic-version=host -cpu host -accel kvm -smp 2 -m 256 \
	 -name guest=realvm,debug-threads=on -kernel /lab/vmlinuz -initrd /lab/guest.cpio \
	 -append "console=ttyAMA0 quiet" -display none -serial stdio -monitor none -nic none -no-reboot' >"$tmp/log" 2>&1
ok $? "the guest booted and ended" "$(tail -n 30 "$tmp/log")"
[ -z "${KT_KEEP-}" ] || { mkdir -p "$KT_KEEP" && cp "$tmp"/out/*.data "$KT_KEEP"; }
like "$(cat "$tmp/log")" 'guest prompt: 2 CPUs' "the guest reached its prompt with two vCPUs"

# What is known of each vCPU in the end, but for the source's own handles and times.
identities() {
	"$kt" dump "$1" | awk '
		/^ident / {
			row = ""
			for (i = 3; i <= NF; i++)
				if ($i !~ /^(gen|first)=/)
					row = row " " $i
			last[$2] = row
		}
		/^name / { sub(/gen=[0-9]+ /, ""); print }
		END { for (who in last) print last[who] }' | sort -u
}
identities "$tmp/out/bpf.data" >"$tmp/bpf.ids"
identities "$tmp/out/ftrace.data" >"$tmp/ftrace.ids"
is "$(grep -c ' vgic=3 .*comm="CPU [01]/KVM"' "$tmp/bpf.ids")" 2 "two vCPUs with an interrupt controller in the kernel" "$(cat "$tmp/bpf.ids")"
diff -u "$tmp/bpf.ids" "$tmp/ftrace.ids" >"$tmp/diff"
ok $? "both sources tell the same identities" "$(cat "$tmp/diff")"

for source in bpf ftrace; do
	data=$tmp/out/$source.data
	report=$("$kt" report "$data" 2>&1)
	like "$report" '^ +[0-9]+  realvm +[0-9]+ +2 GICv3' "$source: the VM has the name that QEMU was given"
	like "$report" '^[0-9]\.0 +CPU 0/KVM' "$source: vCPU 0 has its thread's name"
	like "$report" '^[0-9]\.1 +CPU 1/KVM' "$source: vCPU 1 has its thread's name"
	like "$report" 'not attributed [0-9,]+ \(timer events 0\)' "$source: every timer event is attributed"
	like "$report" '^wfi +[1-9]' "$source: a Linux guest sleeps: WFI exits"
	like "$report" '^vtimer  lr-to-guest' "$source: its interrupts are followed to the guest"
	like "$("$kt" timeline --around rise:20 --span 5ms --steps "$data")" 'vtimer lr +pending -> empty|vtimer lr +active -> empty' \
		"$source: the list register is seen to empty"
	"$kt" check --json "$data" >"$tmp/json"
	status=$?
	broken=$(awk '/"id":/ { gsub(/[",]/, ""); sub(/.*:/, ""); id = $0 } /"verdict":"violated"/ { print id }' "$tmp/json" | xargs)
	is "$broken" "" "$source: a Linux guest under QEMU: no rule is broken" "$("$kt" check --examples 1 "$data")"
	[ "$(sed -n 's/^ *"rules_exercised":\([0-9]*\).*/\1/p' "$tmp/json")" -ge 20 ]
	ok $? "$source: and at least 20 rules are put to the test"
	# The kernel may skip a program on top of itself: counted as lost, and then nothing is proven.
	lost=$("$kt" report "$data" | grep -o 'lost [0-9,]*' | head -n 1)
	is $status "$([ "$lost" = 'lost 0' ] && echo 0 || echo 3)" "$source: status $status with $lost" "$("$kt" check --examples 1 "$data")"
done
done_testing
