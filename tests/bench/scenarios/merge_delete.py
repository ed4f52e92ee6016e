# SPDX-License-Identifier: GPL-2.0-only
"""A checkpoint goes whose layer spans 1 TiB (64 GiB if quick), or 1 GiB, and whose child has
nothing: how long that takes must not depend on its size.  The layer has one block in each leaf of
its map, so that the map, which is what there is to work on, is as large as if it were full."""

import machine

LEAF = 32 << 20         # that a leaf spans, with blocks of 4 KiB


def delete(store, gib):
    machine.store(store)
    disk = machine.volume('disk', 4 << 20)
    machine.checkpoint('a', 'disk')
    machine.scatter(disk, range(0, gib << 30, LEAF))
    machine.checkpoint('b', 'disk')
    machine.checkpoint('c', 'disk')
    # What is left to do for the freezing is done before the pause.
    machine.delete('disk@b')
    machine.write_back()
    took = machine.merge(0.0005)
    machine.clean()
    return took


def run(bench):
    store, = machine.ram_disks(1, 640)
    gib = 64 if bench.quick else 1024
    small, large = [], []
    for _ in range(bench.repeat):
        small.append(1000 * delete(store, 1))
        large.append(1000 * delete(store, gib))
    bench.add('dm-ckpt', '1 GiB', 'ms', small)
    bench.add('dm-ckpt', '%d GiB' % gib, 'ms', large, small, '1 GiB', -1.5)
