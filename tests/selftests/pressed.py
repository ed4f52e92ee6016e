#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: pressed.py DEVICE SEED STOP-FILE

Writes and discards at random, most of the time on a store that is full, until STOP-FILE is there.
Says how many writes found no space, and what else went wrong.
"""

import errno
import os
import random
import sys

from blk import Device, data

CLUSTER = 128 << 10
device = Device(sys.argv[1])
r = random.Random(int(sys.argv[2]))
stop = sys.argv[3]
full, others = 0, {}
while not os.path.exists(stop):
    at = r.randrange(device.size // CLUSTER) * CLUSTER
    try:
        if r.random() < 0.8:
            at += r.randrange(32) * 4096
            device.write(at, data(1, at, 4096))
        else:
            device.discard(at, CLUSTER)
    except OSError as e:
        if e.errno == errno.ENOSPC:
            full += 1
        else:
            name = errno.errorcode.get(e.errno, str(e))
            others[name] = others.get(name, 0) + 1
print('%d without space;%s' % (full, ''.join(' %s: %d' % item for item in others.items())))
