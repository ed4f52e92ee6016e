# SPDX-License-Identifier: GPL-2.0-only
# What every script here starts with: where things are, and how to speak.
# shellcheck shell=bash disable=SC2034

set -u -o pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=${0##*/}

# The kernels are kept outside of the checkout, so that another clone finds
# them, and `make clean` does not cost a download.
CKPT_CACHE=${CKPT_CACHE:-/var/cache/dm-ckpt}
flavours="6.1 6.12"

say() { echo "$me: $*" >&2; }
die() { say "$*"; exit 1; }

# Where the unpacked kernel of a flavour lies; see scripts/kernel.
kernel_dir() { echo "$CKPT_CACHE/kernels/$1"; }

# One at a time: two checkouts (or two terminals) share the cache. What is
# started under the lock must not wait for it again.
lock_cache() {
	[ -z "${CKPT_LOCKED:-}" ] || return 0
	export CKPT_LOCKED=1
	mkdir -p "$CKPT_CACHE" || die "cannot make $CKPT_CACHE; set CKPT_CACHE"
	exec 9>"$CKPT_CACHE/.lock"
	flock -n 9 && return
	say "waiting for another run that is setting up $CKPT_CACHE"
	flock 9
}
