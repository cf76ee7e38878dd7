# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# arm64 packages from Debian, through an apt of its own: state, lists and
# sources lie in the lab's cache, so the machine's sources and packages stay as
# they are.  The mirror is the machine's own; only its path is changed.

cache=${KT_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kvmtimer-trace}

die() {
	printf 'lab: %s\n' "$*" >&2
	exit 125
}

note() {
	printf 'lab: %s\n' "$*" >&2
}

# Runs a function with the cache to itself: two runs never unpack the same thing at once.
with_lock() {
	mkdir -p "$cache" || die "cannot make $cache: set KT_LAB_CACHE to a writable folder"
	(
		flock 9 || die "cannot lock $cache/lock"
		"$@"
	) 9>"$cache/lock"
}

# Base of the machine's mirror for the main archive, or for the security one.
mirror() {
	local uri
	uri=$(apt-get indextargets --format '$(REPO_URI)' | sort -u | grep -E "/$1/?\$" | head -n 1)
	if [ -z "$uri" ] && [ "$1" = debian-security ]; then
		# A machine without security updates: the archive stands beside the main one.
		uri=$(mirror debian) && uri=${uri%/debian/}/debian-security/
	fi
	[ -n "$uri" ] || die "no Debian mirror in this machine's apt configuration: is this Debian 12, and has apt-get update run?"
	printf '%s\n' "$uri"
}

# apt_setup NAME SUITE...: prints the path of an apt.conf whose lists are fresh enough.
apt_setup() {
	local name=$1 dir=$cache/apt/$1 suite base
	shift
	if [ -e "$dir/ready" ] && [ -z "$(find "$dir/ready" -mtime +7)" ]; then
		printf '%s\n' "$dir/apt.conf"
		return
	fi
	note "reading Debian's package lists for arm64 ($name)"
	rm -rf "$dir"
	mkdir -p "$dir"/{lists/partial,archives/partial,etc/apt.conf.d,etc/preferences.d,etc/trusted.gpg.d}
	: >"$dir/status"
	for suite; do
		case $suite in
		*-security) base=$(mirror debian-security) ;;
		*) base=$(mirror debian) ;;
		esac
		printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$base" "$suite"
	done >"$dir/sources.list" || exit 125
	# An old suite's Release file may have expired; its signature is still checked.
	cat >"$dir/apt.conf" <<CONF
Dir::State "$dir";
Dir::State::status "$dir/status";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir";
Dir::Cache::archives "$dir/archives";
Dir::Etc "$dir/etc";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "-";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
CONF
	APT_CONFIG=$dir/apt.conf apt-get -qq update >&2 ||
		die "cannot read the package lists of $*: is the mirror reachable?"
	: >"$dir/ready"
	printf '%s\n' "$dir/apt.conf"
}

# unpack CONF DIR PACKAGE...: downloads exactly these packages and unpacks them into DIR.
unpack() {
	local conf=$1 dir=$2 deb tmp
	shift 2
	tmp=$(mktemp -d "$cache/deb.XXXXXX")
	(cd "$tmp" && APT_CONFIG=$conf apt-get -qq download "$@" >&2) ||
		die "cannot download $*"
	mkdir -p "$dir"
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$dir" || die "cannot unpack ${deb##*/}"
	done
	rm -rf "$tmp"
}

# unpack_closure CONF DIR PACKAGE...: the same with everything the packages depend on.
unpack_closure() {
	local conf=$1 dir=$2 deb tmp
	shift 2
	tmp=$(mktemp -d "$cache/deb.XXXXXX")
	mkdir -p "$tmp/partial"
	APT_CONFIG=$conf apt-get -qq -y -o "Dir::Cache::archives=$tmp" --download-only install "$@" >&2 ||
		die "cannot download $* and what they depend on"
	mkdir -p "$dir"
	for deb in "$tmp"/*.deb; do
		dpkg-deb -x "$deb" "$dir" || die "cannot unpack ${deb##*/}"
	done
	rm -rf "$tmp"
}
