#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What `make install` puts where: nothing that lends anybody the rights of another, or that others
# than root may write.

cd "$(dirname "$0")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0 failures=0

# is 'what' HAVE WANT
is() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		echo "not ok $n - $1"
		printf '%s\n' "have: $2" "want: $3" | sed 's/^/# /'
		failures=$((failures + 1))
	fi
}

# Whoever has no umask gets the modes all the same.
umask 0
log=$(make --no-print-directory -C userspace O="$PWD/build/userspace" PREFIX=/usr DESTDIR="$work/to" \
	install 2>&1) || { echo "Bail out! ${log//$'\n'/ }"; exit 1; }
cd "$work/to" || exit 1
programs=$(find usr/sbin -type f -printf '%f %m\n' | sort)
is 'the programs, each for all to run and for root to write' "$programs" \
	$'ckpt_tools 755\nckptctl 755\nckptd 755'
is 'nothing is set-user-id or set-group-id' "$(find . -perm /6000)" ''
is 'nothing can be written by others' "$(find . ! -type l -perm /022)" ''
is 'nor run that is no program' "$(find . -type f -perm /111 ! -path './usr/sbin/*')" ''
is 'links lead to what is beside them' \
	"$(find . -type l ! -lname 'ckpt_tools' ! -lname 'ckpt_*' -printf '%p %l\n')" ''
is 'the socket is for root alone' "$(sed -n 's/^SocketMode=//p' "$(find . -name ckptd.socket)")" 0600

echo "1..$n"
[ $failures = 0 ]
