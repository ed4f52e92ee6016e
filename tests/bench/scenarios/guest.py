# SPDX-License-Identifier: GPL-2.0-only
"""Checkpoints of a guest that runs: how fast its memory is written, what that costs the guest, how
long it stands still, and how long it takes to have it back.  here/guest_memory.py has figures that
are not of an emulated machine."""

import time

import ckptd
import guests
import machine


def memory(repeat, folder, mib):
    """Of all repetitions: MiB/s, bytes of an image for a byte of memory that is no zero, speed of
    the guest meanwhile, seconds to have it back, and how long it stood still."""
    guest = ckptd.Guest(folder, mib, mib // 2, [ckptd.name('small', 0)])
    rows = []
    for i in range(repeat):
        before = guest.serial.rate(2)
        said, took, meanwhile = guest.serial.during(lambda i=i: guest.checkpoint('c%d' % i))
        begun = time.monotonic()
        ckptd.ctl('vm', 'apply', '--yes', ckptd.VM, 'c%d' % i)
        guest.serial.rate(1)
        rows.append((mib / 2 / took, int(said['memory_bytes']) / (mib / 2 * machine.MIB),
                     meanwhile / before, time.monotonic() - begun) + ckptd.standstill(said))
    guest.end()
    return list(zip(*rows))


def run(bench):
    disk, = machine.ram_disks(1, 128)
    with ckptd.daemon(disk) as folder:
        for mib in guests.MEMORY[:1] if bench.quick else guests.MEMORY:
            # With the most memory once takes minutes.
            found = memory(1 if bench.quick or mib > 256 else 3, folder, mib)
            for metric, unit, values in zip(
                    ('memory written', 'image for a byte', 'guest meanwhile', 'back again',
                     'standstill', 'of that ours'),
                    ('MiB/s', 'bytes', 'of before', 's', 'ms', 'ms'), found):
                bench.add('ckptd', '%d MiB, %s' % (mib, metric), unit, values)
