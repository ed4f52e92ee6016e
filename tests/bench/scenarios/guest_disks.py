# SPDX-License-Identifier: GPL-2.0-only
"""How long a guest stands still for a checkpoint, and how much of that is ours: with 64 MiB to 1 GiB
of memory, most of it zeros, 1 to 8 disks, and small or large ones."""

import itertools
import statistics
import sys

import ckptd
import guests
import machine

TAKES = {64: 3, 256: 2}         # else one: 1 GiB takes most of a minute to be looked through
FILLED_MIB = 16                 # of memory
OWN_MS = 10
# What their number makes, and what their size.
QUICK = ('small', 1), ('small', 8), ('large', 8)


def takes(folder, number, mib, size, disks):
    guest = ckptd.Guest(folder, mib, FILLED_MIB, [ckptd.name(size, i) for i in range(disks)])
    rows = [ckptd.standstill(guest.checkpoint('c%d' % i)) for i in range(number)]
    guest.end()
    return list(zip(*rows))


def run(bench):
    disk, = machine.ram_disks(1, 128)
    first = None
    with ckptd.daemon(disk) as folder:
        for mib in guests.MEMORY[:1] if bench.quick else guests.MEMORY:
            for size, disks in QUICK if bench.quick else itertools.product(
                    ckptd.SIZES, ckptd.DISKS):
                number = 1 if bench.quick else TAKES.get(mib, 1)
                still, own = takes(folder, number, mib, size, disks)
                first = first or statistics.median(still)
                what = '%d MiB, %d %s' % (mib, disks, size)
                # Minutes have passed: somebody may want to know.
                print('bench: %s: %s' % (what, ' '.join('%.1f/%.1f' % row for row in
                                                        zip(still, own))), file=sys.stderr)
                # It is to depend neither on the memory nor on the disks.
                bench.add('ckptd', what + ', standstill', 'ms', still, [first] * len(still),
                          '%d MiB, 1 small' % guests.MEMORY[0], -1.5)
                row = bench.add('ckptd', what + ', of that ours', 'ms', own)
                row.update(goal='<= %d ms' % OWN_MS, met=row['value'] <= OWN_MS)
