#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# Who asks for what takes long to find out gets it in pages, as nobody takes a checkpoint while the
# store is at one: a difference and an estimate, from a disk that takes long for each read.

. "$(dirname "$0")/lib.sh"

export CKPT_CONFDIR=$work/conf CKPT_STORE=st NO_COLOR=1 LC_ALL=C.UTF-8
store=st
leaves=20			# of 32 MiB each
sectors=$((leaves << 16))
size=$(sectors_of 32)
loop STORE 32
modprobe dm-delay

# The last block of a leaf and the first one of the next, which are one range.
write() {
	local i
	for ((i = 1; i < leaves; i++)); do
		fill $dm/v "$1" $(((i << 25) - 4096)) 8192 || return 1
	done
}
ranges=$(for ((i = 1; i < leaves; i++)); do echo "$(((i << 25) - 4096)) 8192"; done)

# activate MS: with nothing in memory, on a disk where a read takes so long.
activate() {
	create self-store "$size" delay "$STORE 0 $1 $STORE 0 0" &&
		create st "$size" ckpt-store $dm/self-store && volume v "$sectors" || bail "$err $out"
}
deactivate() { remove v st self-store || bail "$err $out"; }

# by_pages WORD...: all lines of the answer go to $out, and the number of its pages to $pages.
by_pages() {
	local all='' cursor=
	pages=0
	while message st "$@" $cursor; do
		pages=$((pages + 1))
		all+=$(grep -v '^next \|^end$' <<<"$out")$'\n'
		cursor=$(sed -n 's/^next //p' <<<"$out")
		[ "$cursor" ] || { out=$all; return; }
	done
	return 1
}
total() { awk '{ for (i = 1; i <= NF; i++) sum[i] += $i } END { print sum[1] + 0, sum[2] + 0 }' <<<"$out"; }

store st "$STORE" 32
message st create_volume v "$sectors" && volume v "$sectors" && write 1 || bail "$err $out"
message st checkpoint a standard v && write 2 && message st checkpoint b standard v || bail "$err $out"
message st estimate v@a
is 'from memory an estimate has one page' "$(tail -n 1 <<<"$out")" end
estimate=$(head -n 1 <<<"$out")
like 'of what b has written over' "$estimate" '^[1-9][0-9]* 0$'
remove v st

activate 40
ok 'a difference' by_pages diff v a b
ok "has pages ($pages)" [ "$pages" -ge 4 ]
is 'and is what was written' "$(total | cut -d ' ' -f 2)" $(((leaves - 1) * 16))
deactivate
activate 40
is 'ckptctl joins what pages cut' \
	"$(ckptctl checkpoint diff v a b --bytes --no-headings 2>&1 | awk 'NF == 2 { print $1, $2 }')" "$ranges"
deactivate
activate 40
ok 'an estimate' by_pages estimate v@a
ok "has pages ($pages)" [ "$pages" -ge 4 ]
is 'and their sum is the same' "$(total)" "$estimate"
deactivate
activate 40
unit=4096
like 'ckptctl adds them up' "$(ckptctl checkpoint info v@a 2>&1)" \
	"delete_frees: +$((${estimate% *} * unit / 1024)) KiB"
deactivate

done_testing
