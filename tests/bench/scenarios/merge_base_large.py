# SPDX-License-Identifier: GPL-2.0-only
"""A layer that was written front to back goes into its base, against a raw copy between the two
devices: dd with O_DIRECT, and the kernel's kcopyd by way of dm-mirror.  On memory, where what the
CPU does for each page counts, and on disks that have a bandwidth."""

import machine
from machine import MIB, agent

REGION = 8 * MIB        # that dm-mirror copies at once
DISK_MIB = 400          # a second


def dd(store, origin, mib):
    return machine.seconds(machine.run, 'dd', 'if=' + store, 'of=' + origin, 'bs=1M',
                           'count=%d' % mib, 'iflag=direct', 'oflag=direct')


def mirror(store, origin, mib):
    """Until the second leg has all that the first has."""
    synced = ' %d/%d ' % (2 * (mib * MIB // REGION,))
    table = 'core 1 %d 2 %s 0 %s 0' % (REGION // 512, store, origin)

    def sync():
        agent.do_create('self-mirror', mib * 2048, 'mirror', table)
        machine.wait_for(lambda: synced in agent.do_status('self-mirror'))
    took = machine.seconds(sync)
    agent.do_remove('self-mirror')
    return took


def merge(store, origin, mib):
    machine.store(store)
    disk = machine.volume('disk', origin=origin)
    machine.checkpoint('c', 'disk')
    machine.fill(disk, 0, mib * MIB)
    machine.delete('disk@c')
    took = machine.merge()
    machine.clean()
    return took


def measure(bench, disks, mib, metric):
    ways = {'dd': dd, 'dm-mirror': mirror, 'dm-ckpt': merge}
    rates = {name: [] for name in ways}
    for _ in range(bench.repeat):
        for name, way in ways.items():
            rates[name].append(mib / way(*disks, mib))
    for name in 'dd', 'dm-mirror':
        bench.add(name, 'copy' + metric, 'MiB/s', rates[name])
        bench.add('dm-ckpt', 'merge' + metric, 'MiB/s', rates['dm-ckpt'], rates[name], name, 0.9)


def run(bench):
    machine.run('modprobe', 'dm-mirror')
    # Enough of it that beginning and end, a few ms, do not count as bandwidth.
    mib = 128 if bench.quick else 1024
    measure(bench, machine.ram_disks(2, mib + mib // 8), mib, '')
    mib = 64 if bench.quick else 512
    with machine.null_disks(2, mib + mib // 8, irqmode=2, mbps=DISK_MIB) as disks:
        measure(bench, disks, mib, ', disk')
