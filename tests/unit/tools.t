#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# The command lines of the offline tools: what they print, and how they end.

cd "$(dirname "$0")/../.." || exit 1
bin=$PWD/build/userspace
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
PATH=$bin:$PATH
n=0 failures=0

# is STATUS 'what' REGEX COMMAND...: it ends so, and says that, on stdout or stderr.
is() {
	local want=$1 what=$2 pattern=$3 out status
	shift 3
	out=$("$@" 2>&1 </dev/null)
	status=$?
	n=$((n + 1))
	if [ $status = "$want" ] && [[ $out =~ $pattern ]]; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
		echo "# status $status, not $want, or not '$pattern': ${out//$'\n'/$'\n'# }"
		failures=$((failures + 1))
	fi
}

u=12345678-1234-1234-1234-12345678
cat >text <<END
dm-ckpt dump 1
store uuid=${u}0000 sectors=32768 block_sectors=8 journal_blocks=256 epoch=3 sequence=9 journal=77 created=1 compat=0 ro=0
base 1 uuid=${u}0001 created=1 flags=00000000 name=- sectors=2048 owner=4 sample=00000000 origin_sectors=2048
layer 2 uuid=${u}0002 created=1 flags=00000001 below=1 volume=78563412 sectors=2048
 slots 0 2 8192 00000003 00000000
layer 3 uuid=${u}0003 created=1 flags=00000000 below=2 volume=78563412 sectors=2048
 slots 1 1 9216 0000f000 00000001
volume 4 uuid=${u}0004 created=1 flags=00000000 name=disk sectors=2048 top=3 limit=0
checkpoint 5 uuid=${u}0005 created=1 flags=00000000 name=monday volume=4 layer=2 kind=0 group=1
end
END
head -c 1M /dev/urandom >origin

for t in check delta dump pack read repair restore unpack; do
	is 0 "ckpt_$t --help" "^usage: ckpt_$t " ckpt_$t --help
	is 0 "ckpt_tools $t is the same" "^usage: ckpt_$t " ckpt_tools $t --help
	is 2 "ckpt_$t with an option that there is not" 'no-such' ckpt_$t --no-such
	is 2 "ckpt_$t without anything" 'usage' ckpt_$t
done
is 2 'ckpt_tools alone' 'usage: ckpt_tools TOOL' ckpt_tools

is 0 'a store is restored' '^$' ckpt_restore text store
is 0 'from a pipe' '^$' bash -c 'cat text | ckpt_restore - piped'
is 0 'the dump is the text' '^$' bash -c 'ckpt_dump store | diff - text'
is 0 'to a file, too' '^$' bash -c 'ckpt_dump --output out store && diff out text'
is 0 'where the nodes stand' $'\nend\n# node records' ckpt_dump --nodes store
is 4 'what is there is not overwritten' '--force' ckpt_restore text store
is 0 'unless it is said so' '^$' ckpt_restore --force text store
is 2 'a text that is none' 'line 1 is not right' ckpt_restore /etc/passwd none
is 2 'one that is cut off' "before its line 'end'" bash -c 'head -n 5 text | ckpt_restore - cut'
is 3 'a text that is not there' 'cannot be opened' ckpt_restore nothing none

is 0 'it is whole' '^space: 0 errors' ckpt_check store
for level in super records nodes; do
	is 0 "as far as the $level go" "^$level: 0 errors" ckpt_check --level $level store
done
is 2 'a level that there is not' 'super, records, nodes and space' ckpt_check --level all store
is 0 'nothing is said' '^$' ckpt_check --quiet store
is 0 'JSON' '^True 0 space$' bash -c 'ckpt_check --json store | python3 -c "
import json, sys
c = json.load(sys.stdin)
print(c[\"ok\"], c[\"error_count\"], c[\"level\"])"'
is 3 'no store' 'there is no dm-ckpt store' ckpt_check origin
is 3 'no store, of its superblocks' 'there is no dm-ckpt store' ckpt_check --level super origin
is 3 'nothing' 'cannot be opened' ckpt_check nothing
mkfifo fifo
is 2 'a pipe is no device' 'neither a block device nor a file' ckpt_check fifo

is 0 'the list' 'checkpoint  disk@monday' ckpt_read --list store
is 0 'the list as JSON' '^disk disk@monday$' bash -c 'ckpt_read --list --json store | python3 -c "
import json, sys
print(*[i[\"name\"] for i in json.load(sys.stdin) if i[\"type\"] != \"base\"])"'
is 3 'no such volume' "no 'disc'" ckpt_read store disc out1
is 3 'without its origin' 'origin of base .* is not given' ckpt_read store disk out1
rm -f out1
is 0 'a volume is read' '^$' ckpt_read --origin disk=origin store disk out1
is 0 'to a pipe it is the same' '^$' bash -c 'ckpt_read -o origin store disk - | cmp - out1'
is 0 'where nothing was written it is the origin' '^$' cmp -n 4096 -i 8192 out1 origin
is 4 'what is there is not overwritten' '--force' ckpt_read -o origin store disk out1
is 2 'the store is no output' 'cannot be the output' ckpt_read -f -o origin store disk store
is 2 'nor is the origin' 'cannot be the output' ckpt_read -f -o origin store disk origin
is 2 'what of it?' 'ckpt_read STORE VOLUME' ckpt_read store

is 0 'what has changed' ' 131072 +4096  zeros
 +180224 +16384  data$' ckpt_delta store disk@monday disk
is 0 'the same as JSON' '^20480 2$' bash -c 'ckpt_delta --json store disk@monday disk | python3 -c "
import json, sys
d = json.load(sys.stdin)
print(d[\"bytes\"], len(d[\"ranges\"]))"'
is 0 'since the base' '^OFFSET' bash -c 'ckpt_delta store - disk@monday | tr -d " "'
is 3 'no such checkpoint' "no 'disk@sunday'" ckpt_delta store disk@sunday disk

is 0 'pack' '^$' ckpt_pack store packed
is 4 'not over what is there' 'cannot be made' ckpt_pack store packed
is 0 'unpack' '^$' ckpt_unpack packed unpacked
is 0 'it is the same' '^$' bash -c 'ckpt_dump unpacked | diff - text'
is 2 'nothing that was packed' 'not made by ckpt_pack' ckpt_unpack text none2

is 0 'repair what is whole' 'saved: volume disk' ckpt_repair store repaired
is 0 'it is the same' '^$' bash -c 'diff <(ckpt_dump repaired | grep -v "^store") <(grep -v ^store text)'
leaf=$(ckpt_dump --nodes store | sed -n 's/^# node layer 2 level 0 .* sector //p')
cp --sparse=always store damaged
printf x | dd of=damaged bs=1 seek=$((leaf * 512 + 9)) conv=notrunc status=none
is 8 'damage is found' "node at sector $leaf is damaged: its checksum is wrong" ckpt_check damaged
is 8 'in JSON, too' '"ok":false' bash -c 'ckpt_check --json damaged | tr -d " "; exit ${PIPESTATUS[0]}'
is 0 'no JSON is cut off' '^1$' bash -c 'ckpt_check --json damaged 2>/dev/null | python3 -c "
import json, sys
print(json.load(sys.stdin)[\"error_count\"])"'
is 8 'a dump is not to be had' "node at sector $leaf is damaged" ckpt_dump damaged
is 0 'but for looking at' $' lost 0 256\n' ckpt_dump --salvage damaged
is 2 'of which no store is made' 'something is lost' \
	bash -c 'ckpt_dump --salvage damaged | ckpt_restore - none3'
is 8 'what cannot be read is said' 'is damaged' ckpt_read -o origin damaged disk@monday out2
is 8 'or becomes zeros' 'sectors 0 to 2047 are lost' \
	ckpt_read -s -f -o origin damaged disk@monday out2
is 8 'nothing can be saved' 'not saved: checkpoint disk@monday' ckpt_repair damaged repaired2
is 8 'but parts' 'saved in part: checkpoint disk@monday' ckpt_repair --partial --force damaged repaired2
is 0 'those are a store' '0 errors' ckpt_check repaired2
is 0 'what is damaged can be packed' '' ckpt_pack damaged packed2

# A volume passes through to its base and grows before the head that it had is freed.
sed "s/^end/layer 6 uuid=${u}0006 created=1 flags=00000001 below=1 volume=78563412 sectors=1024\n&/" \
	text >text2
is 0 'a layer that nobody needs' '^$' ckpt_restore text2 store2
is 0 'may be smaller than what it sits on' 'record 6: nobody needs this layer' ckpt_check store2

echo "1..$n"
[ $failures = 0 ]
