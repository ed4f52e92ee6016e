#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The walk-through of the documentation, as it stands there: every command works.

. "$(dirname "$0")/lib.sh"

doc=$here/../../Documentation/admin-guide/device-mapper/dm-ckpt.rst

# The indented lines behind '::' of one section.
commands() {
	awk '/^Walk-through$/ { on = 1; next }
	     on && /^Why not/ { exit }
	     on && /::$/ { block = 1; next }
	     block && /^[^ ]/ { block = 0 }
	     block && /^    / { sub(/^    /, ""); print }' "$doc"
}

loop STORE 128
loop ORIGIN 8
fill "$ORIGIN" 1
export STORE ORIGIN

ok 'the documentation has a walk-through' test "$(commands | wc -l)" -ge 20
while IFS= read -r command; do
	if err=$(bash -c "$command" 2>&1 </dev/null); then
		pass "$command"
	else
		flunk "$command" "$err"
	fi
	case $command in
	'dmsetup message st 0 diff '*)
		is 'the difference is what dd wrote' "$err" $'0 512\nend' ;;
	'dmsetup message st 0 list')
		is 'there are two volumes' "$(grep -c '^volume ' <<<"$err")" 2
		is 'and one checkpoint' "$(grep -c '^checkpoint ' <<<"$err")" 1 ;;
	esac
done < <(commands)

done_testing
