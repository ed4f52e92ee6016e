#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: ordered.py STOP-FILE SAID-FILE DEVICE...

Writes the numbers 1, 2, ... to the first block of each device, one device after
the other: at no instant is a device ahead of the one before it, or more than one
behind the first.
"""

import os
import struct
import sys

from blk import Device

stop, said = sys.argv[1], open(sys.argv[2], 'ab', buffering=0)
devices = [Device(p) for p in sys.argv[3:]]
n = 0
while n % 16 or not os.path.exists(stop):
    n += 1
    for i, device in enumerate(devices):
        # Another block as well, so that there are first writes all the time.
        device.write(4096 + n * 4096 % (device.size - 4096), bytes(4096))
        device.write(0, struct.pack('<Q', n) * 512, dsync=n % 8 == i)
    said.write(b'.')
