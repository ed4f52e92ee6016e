#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: writer.py DEVICE STOP-FILE SAID-FILE

Writes to the device at random until STOP-FILE is there, adding a dot to
SAID-FILE now and then; in the end all of it is read back and held against
what it should be.
"""

import os
import random
import sys

from blk import Device, data

device = Device(sys.argv[1])
stop, said = sys.argv[2], open(sys.argv[3], 'ab', buffering=0)
written = {}
count = 0
UNIT = 4096
while not os.path.exists(stop):
    for _ in range(8):
        count += 1
        at = random.randrange(device.size // UNIT)
        nr = min(random.choice([1, 1, 2, 9]), device.size // UNIT - at)
        try:
            device.write(at * UNIT, data(count, at * UNIT, nr * UNIT), dsync=count % 16 == 0)
        except OSError as e:
            said.write(b'write %d at %d: %s\n' % (count, at * UNIT, str(e).encode()))
            sys.exit(1)
        for i in range(at, at + nr):
            written[i] = count
    said.write(b'.')
have = device.read(0, device.size)
for at, seed in written.items():
    if have[at * UNIT:(at + 1) * UNIT] != data(seed, at * UNIT, UNIT):
        said.write(b'block %d does not have what write %d put there\n' % (at, seed))
        sys.exit(1)
