# SPDX-License-Identifier: GPL-2.0-only
"""linux-guest.py MEMORY|- DISK1 DISK2: what linux-guest.c has in these files.

"<memory> <disk 1> <disk 2> <wrong>", the last number of each; a ring of which not the last 64 are
there says "rotten", what is not found at all "none".
"""

import struct
import sys

MARK = 0x636B7074
RING = 64


def blocks(path, place):
    mark = struct.pack("<4I", *((MARK + place) * (2 * i + 3) & 0xFFFFFFFF for i in range(4)))
    with open(path, "rb") as f:
        data = f.read()
    at = data.find(mark)
    while at >= 0:
        if at % 4096 == 0:
            yield struct.unpack_from("<2I", data, at + 16)
        at = data.find(mark, at + 16)


def last(path, place):
    counts = sorted(count for count, _ in blocks(path, place))
    if not counts:
        return "none"
    if len(counts) < RING:
        return counts[-1] if counts == list(range(1, len(counts) + 1)) else "rotten"
    return counts[-1] if counts == list(range(counts[-1] - RING + 1, counts[-1] + 1)) else "rotten"


memory = max(blocks(sys.argv[1], 1), default=("none", 0)) if sys.argv[1] != "-" else ("-", 0)
# A page of the page cache or of a bounce buffer is no page of the process: those hold 2 and 3.
print(memory[0], last(sys.argv[2], 2), last(sys.argv[3], 3), memory[1])
