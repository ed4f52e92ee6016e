#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# What can be a name and what cannot, and whose name is whose.

. "$(dirname "$0")/lib.sh"

loop STORE 64
store=st watch=st
store st "$STORE" 64
message st create_volume v 2048
v_uuid=$out
message st checkpoint c standard v
c_uuid=$out
message st create_template t 2048
t_uuid=$out
message st clone v@c other

x111=$(printf 'x%.0s' {1..111})
uuid=12345678-9abc-def0-1234-56789abcdef0

# ---- not names ----

# The name as a message has it (device-mapper takes \x for x), and why not.
bad() {
	local name=$1 why=$2 what
	what=$(printf %q "$name")
	fails "volume $what" EINVAL "$why" message st create_volume "$name" 2048
	fails "template $what" EINVAL "$why" message st create_template "$name" 2048
	fails "checkpoint $what" EINVAL "$why" message st checkpoint "$name" standard v
	fails "clone $what" EINVAL "$why" message st clone t "$name"
	fails "rename to $what" EINVAL "$why" message st rename_volume v "$name"
	fails "rename checkpoint to $what" EINVAL "$why" message st rename_checkpoint v@c "$name"
}

# The same for one message, as the check is the same one.
bad1() {
	fails "$(printf 'volume %q' "$1")" EINVAL "$2" message st create_volume "$1" 2048
}

character='blank, @, /, .*quote or control'
utf8='valid UTF-8'
bad - "not '-'"
bad a/b "$character"
bad "${x111}y" '111 bytes at most'
bad1 "$x111$x111$x111" '111 bytes at most'
bad1 "${x111%x}ä" '111 bytes at most'
bad1 a@b "$character"
bad1 @ "$character"
bad1 'a\ b' "$character"
bad1 'a\\b' "$character"
bad1 'a\"b' "$character"
bad1 "a'b" "$character"
bad1 $'a\x01' "$character"
bad1 $'\x1b[m' "$character"
bad1 $'a\x7f' "$character"
bad1 $'a\xc2\x9b' "$character"
bad1 $'a\\\tb' "$character"
bad $uuid 'look like a UUID'
bad1 ${uuid^^} 'look like a UUID'
bad1 "$v_uuid" 'look like a UUID'
bad $'\xff' "$utf8"
bad1 $'a\xc3' "$utf8"
bad1 $'\xc3a' "$utf8"
bad1 $'\x80' "$utf8"
bad1 $'\xc0\xaf' "$utf8"
bad1 $'\xe2\x82' "$utf8"
bad1 $'\xe0\x80\xaf' "$utf8"
bad1 $'\xe0\x9f\xbf' "$utf8"
bad1 $'\xed\xb0\x80' "$utf8"
bad1 $'\xf0\x80\x80\xaf' "$utf8"
bad1 $'\xf4\x90\x80\x80' "$utf8"
bad1 $'\xf8\x88\x80\x80\x80' "$utf8"

# ---- names ----

# It is listed as it was given, or as $2 says, and finds its thing.
good() {
	local name=$1 what
	what=$(printf %q "$name")
	ok "volume $what" message st rename_volume other "$name"
	pages st list
	is "$what is listed as it is" "$(awk -v n="${2:-$name}" '$1 == "volume" && $4 == n' <<<"$out" | wc -l)" 1
	ok "$what is found" message st rename_volume "$name" other
}

for name in a -- . .. '*' '%s%n' '$x' '#' '<>|&;' '+1' 0 next end ä€𝄞 "$x111" $'\xee\x80\x80' \
	${uuid}0 ${uuid%0} ${uuid/-/_} ${uuid/a/g} $'\xf4\x8f\xbf\xbf'; do
	good "$name"
done

# For device-mapper the byte a0 is a blank, which \\ takes its meaning from.
good $'\xc3\\\xa0' à

# ---- whose ----

fails 'a second volume of that name' EEXIST 'name v is taken' message st create_volume v 2048
fails 'an adopted one' EEXIST 'name v is taken' message st adopt_volume v 2048
fails 'a template' EEXIST 'name v is taken' message st create_template v 2048
fails 'a volume named as a template' EEXIST 'name t is taken' message st create_volume t 2048
fails 'a clone' EEXIST 'name v is taken' message st clone t v
fails 'rename a volume' EEXIST 'name other is taken' message st rename_volume v other
fails 'rename it to the name of a template' EEXIST 'name t is taken' message st rename_volume v t
fails 'rename a template' EEXIST 'name v is taken' message st rename_template t v
fails 'a second checkpoint' EEXIST 'has a checkpoint c already' message st checkpoint c standard v
ok 'names differ by case' message st create_volume V 2048
ok 'another volume can have a checkpoint of that name' message st checkpoint c standard other
ok 'and a second one' message st checkpoint c2 standard other
fails 'rename a checkpoint' EEXIST 'has a checkpoint c already' \
	message st rename_checkpoint other@c2 c

ok 'a volume by its UUID' message st rename_volume "$v_uuid" w
ok 'in capitals' message st rename_volume "${v_uuid^^}" v
ok 'a template by its UUID' message st rename_template "$t_uuid" u
ok 'volume and checkpoint by their UUIDs' message st rename_checkpoint "$v_uuid@$c_uuid" d
ok 'a clone of those' message st clone "v@$c_uuid" third
fails 'the UUID of something else' ENOENT 'no volume' message st rename_volume "$c_uuid" x
fails 'that of a template' ENOENT 'no volume' message st delete_volume "$t_uuid"
fails 'that of a volume' ENOENT 'no template' message st delete_template "$v_uuid"

# Under what it was called before nothing is found, and another may be called so.
fails 'the name that a checkpoint had' ENOENT 'no checkpoint c$' message st rename_checkpoint v@c x
fails 'the name that a template had' ENOENT 'no template t$' message st rename_template t x
fails 'the name that a volume had' ENOENT 'no volume w$' message st rename_volume w x
ok 'a checkpoint of the name that another had' message st checkpoint c standard v
ok 'a volume of the name that a template had' message st create_volume t 2048
ok 'it goes' message st delete_volume t
fails 'and is not found' ENOENT 'no volume t$' message st delete_volume t
ok 'a volume with an origin' message st adopt_volume o 2048
o_uuid=$out
ok 'a clone holds its base' message st checkpoint c standard o
ok '... when it goes' message st clone o@c p
ok '... and its checkpoint' message st delete_checkpoint o@c
ok '... so that it leaves a template' message st delete_volume o
fails 'which is no volume' ENOENT 'no volume o$' message st delete_volume o
fails 'nor has its UUID' ENOENT 'no template' message st rename_template "$o_uuid" x
ok 'but its name' message st rename_template o q

ok 'close the store' remove st
ok "open it again" create st "$(sectors_of 64)" ckpt-store "$STORE"
ok 'a checkpoint is found in what was read' message st rename_checkpoint v@d e
ok 'by its UUID as well' message st rename_checkpoint "$v_uuid@$c_uuid" d
ok 'a template' message st rename_template q r
ok 'by its UUID as well' message st rename_template "$t_uuid" t
fails 'the name that it had' ENOENT 'no template u$' message st rename_template u x

done_testing
