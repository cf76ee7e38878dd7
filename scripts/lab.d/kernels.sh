# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154
#
# Debian's arm64 cloud kernels, newest of each series, as the lab boots them:
# the image, and the few modules that bring results out.

# name, suites, pattern of the packages
kernel_table() {
	cat <<'TABLE'
5.10 bullseye,bullseye-security ^linux-image-5\.10\.[0-9]+-[0-9]+-cloud-arm64$
6.1 bookworm,bookworm-updates,bookworm-security ^linux-image-6\.1\.[0-9]+-[0-9]+-cloud-arm64$
6.12 bookworm-security,bookworm-backports ^linux-image-6\.12\.[^-]*-cloud-arm64$
7.x sid ^linux-(image|binary|modules)-[7-9]\.[^-]*-cloud-arm64$
TABLE
}

# 7.2 and the like are whatever the 7.x of sid is.
kernel_name() {
	case $1 in
	[7-9]*) echo 7.x ;;
	*) echo "$1" ;;
	esac
}

# In loading order; which of them are modules differs between the kernels.
lab_modules='virtio virtio_ring virtio_mmio virtio_blk virtio_console'

extract_module() {
	case $1 in
	*.ko) cat "$1" ;;
	*.ko.xz) xz -dc "$1" ;;
	*.ko.zst) zstd -dcq "$1" ;;
	esac
}

# Versions of a series, newest first.  The newest in a suite's list may be gone
# from the pool of an archived suite, so the caller tries on.
kernel_versions() {
	APT_CONFIG=$1 apt-cache pkgnames | grep -E "$2" |
		sed -E 's/^linux-(image|binary|modules)-//' | sort -rV | uniq | head -n 8
}

fetch_kernel() {
	local name=$1 dir=$cache/kernels/$1 suites pattern conf version tmp module file n=0 got=''
	# A cache of an older lab lacks modules that this one wants.
	[ -e "$dir/version" ] && [ "$(cat "$dir/wanted" 2>/dev/null)" = "$lab_modules" ] && return
	read -r _ suites pattern < <(kernel_table | grep "^${name//./\\.} ") ||
		die "no kernel called $name: there are $(kernel_table | cut -d' ' -f1 | tr '\n' ' ')"
	# shellcheck disable=SC2086
	conf=$(apt_setup "$name" ${suites//,/ }) || exit 125
	tmp=$(mktemp -d "$cache/kernel.XXXXXX")
	for version in $(kernel_versions "$conf" "$pattern"); do
		note "fetching Linux $version (arm64)"
		# shellcheck disable=SC2046
		(unpack "$conf" "$tmp/root" $(APT_CONFIG=$conf apt-cache pkgnames |
			grep -E "$pattern" | grep -F -- "-$version")) 2>"$tmp/why" && got=$version && break
	done
	[ -n "$got" ] || cat "$tmp/why" >&2
	[ -n "$got" ] || die "Debian has no arm64 cloud kernel $name in $suites that can be downloaded"
	mkdir -p "$tmp/out/modules"
	file=$(find "$tmp/root" -name 'vmlinuz*' -print -quit)
	[ -n "$file" ] || die "no kernel image in the packages of $got"
	cp "$file" "$tmp/out/vmlinuz"
	for module in $lab_modules; do
		file=$(find "$tmp/root" -name "$module.ko*" -print -quit)
		n=$((n + 1))
		[ -z "$file" ] || extract_module "$file" >"$tmp/out/modules/$n-$module.ko"
	done
	printf '%s\n' "${got%-cloud-arm64}" >"$tmp/out/version"
	printf '%s\n' "$lab_modules" >"$tmp/out/wanted"
	mkdir -p "$cache/kernels"
	# The shortest moment without it: a host of another checkout may be about to boot.
	[ ! -e "$dir" ] || mv "$dir" "$tmp/old"
	mv "$tmp/out" "$dir"
	rm -rf "$tmp"
}

fetch_busybox() {
	local conf tmp
	[ -x "$cache/busybox" ] && return
	conf=$(apt_setup bookworm bookworm bookworm-updates bookworm-security) || exit 125
	tmp=$(mktemp -d "$cache/bb.XXXXXX")
	unpack "$conf" "$tmp" busybox-static
	mv "$tmp/bin/busybox" "$cache/busybox"
	rm -rf "$tmp"
}

# What a static arm64 build links: one suite only, as archives of two do not mix.
sysroot_packages='libc6-dev libbpf-dev libelf-dev zlib1g-dev libzstd-dev libjson-c-dev libcap-dev linux-libc-dev libtracefs-dev libtraceevent-dev'

# Named by what is in it, so that checkouts which want different libraries share a cache.
sysroot() {
	printf '%s/sysroot-%s\n' "$cache" "$(printf '%s' "$sysroot_packages" | cksum | cut -d' ' -f1)"
}

fetch_sysroot() {
	local conf tmp
	[ -e "$(sysroot)/ready" ] && return
	conf=$(apt_setup bookworm bookworm bookworm-updates bookworm-security) || exit 125
	note "fetching the arm64 libraries to link with"
	tmp=$(mktemp -d "$cache/sysroot.XXXXXX")
	# shellcheck disable=SC2086
	unpack "$conf" "$tmp" $sysroot_packages
	: >"$tmp/ready"
	mv "$tmp" "$(sysroot)"
}

# debs NAME PACKAGE...: programs for use inside the lab; 6.12's tools come from backports.
fetch_debs() {
	local name=$1 conf tmp
	shift
	[ -e "$cache/debs/$name/ready" ] && return
	conf=$(apt_setup bookworm bookworm bookworm-updates bookworm-security) || exit 125
	note "fetching $* (arm64) with what they depend on"
	tmp=$(mktemp -d "$cache/debs.XXXXXX")
	unpack_closure "$conf" "$tmp" "$@"
	: >"$tmp/ready"
	mkdir -p "$cache/debs"
	mv "$tmp" "$cache/debs/$name"
}
