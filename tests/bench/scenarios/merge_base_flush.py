# SPDX-License-Identifier: GPL-2.0-only
"""A layer goes into a base whose device takes long to flush, as disks do, against one that does
not: dm-delay holds up flushes only."""

import machine
from machine import MIB, agent

FLUSH_MS = 20


def merge(store, origin, ms, mib):
    sectors = machine.sectors_of(origin)
    agent.do_create('self-delay', sectors, 'delay',
                    '%s 0 0 %s 0 0 %s 0 %d' % (origin, origin, origin, ms))
    machine.store(store)
    disk = machine.volume('disk', origin=machine.DM + 'self-delay')
    machine.checkpoint('c', 'disk')
    machine.fill(disk, 0, mib * MIB)
    machine.delete('disk@c')
    took = machine.merge()
    machine.clean()
    return took


def run(bench):
    mib = 48 if bench.quick else 128
    machine.run('modprobe', 'dm-delay')
    store, = machine.ram_disks(1, mib + 64)
    # Of the devices on memory only this one takes flushes.
    with machine.loop(mib) as origin:
        fast, slow = ([mib / merge(store, origin, ms, mib) for _ in range(bench.repeat)]
                      for ms in (0, FLUSH_MS))
    bench.add('dm-ckpt', 'fast flush', 'MiB/s', fast)
    bench.add('dm-ckpt', 'flush of %d ms' % FLUSH_MS, 'MiB/s', slow, fast, 'fast flush', 0.5)
