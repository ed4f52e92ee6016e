# SPDX-License-Identifier: GPL-2.0-only
"""What metadata take, on disk, in writes and in memory, and what scattered changes take in the
store once they are frozen, against dm-thin.  Nothing here is a time."""

import random

import machine
import systems
from machine import agent

COUNTING = True
UNIT = 4096


def counted(disk):
    """A device that counts what is written to it, as those on memory do not: what to superblocks
    and journal, and what to all else."""
    machine.store(disk)
    fixed = 4096 + 8 * machine.both('journal')[1]
    machine.clean()
    rest = machine.sectors_of(disk) - fixed
    agent.do_create('self-fixed', fixed, 'linear', disk + ' 0')
    agent.do_create('self-rest', rest, 'linear', '%s %d' % (disk, fixed))
    agent.do_create('self-counted', fixed, 'linear', machine.DM + 'self-fixed 0')
    agent.do_load_pieces('self-counted', 0, fixed, 'linear', machine.DM + 'self-fixed 0',
                         fixed, rest, 'linear', machine.DM + 'self-rest 0')
    agent.do_resume('self-counted')
    return machine.DM + 'self-counted'


def counts():
    """Bytes written to each part, and of those copied from place to place."""
    parts = [512 * machine.sectors_written(machine.DM + name)
             for name in ('self-fixed', 'self-rest')]
    return *parts, machine.status('copied') * UNIT


def mapped(bench, store, mib):
    """Metadata on disk, for what is mapped front to back; nothing that every store has."""
    machine.store(store)
    disk = machine.volume('disk', mib)
    machine.write_back()
    before = machine.part('used')
    machine.fill(disk, 0, mib << 20)
    machine.write_back()
    meta = (machine.part('used') - before) * UNIT - (mib << 20)
    share = 100 * meta / (mib << 20)
    machine.clean()
    bench.add('dm-ckpt', 'metadata, of mapped data', '%', [share])
    bench.rows[-1].update(goal='<= 0.02', met=share <= 0.02)
    bench.add('dm-ckpt', 'metadata, for each TiB', 'MiB', [share / 100 * (1 << 20)])


def written(bench, disk, gib, number):
    """What random writes of 4 KiB have written beside their data, of as much data: until they have
    been flushed, and with the trees written back, as when a store is closed.  Blocks of data that
    had to move for want of space stand apart."""
    data = number * 4096
    what = '%d GiB, %d writes' % (gib, number)
    machine.store(counted(disk))
    volume = machine.volume('disk', gib << 10)
    machine.write_back()
    before = counts()
    offsets = random.Random(1).sample(range(gib << 18), number)
    machine.scatter(volume, [b << 12 for b in offsets])
    machine.flush(volume)
    for when in 'flushed', 'closed':
        journal, rest, copied = [100 * (b - a) / data for a, b in zip(before, counts())]
        bench.add('dm-ckpt', '%s, %s, journal' % (what, when), '%', [journal])
        bench.add('dm-ckpt', '%s, %s, trees' % (what, when), '%',
                      [rest - copied - 100])
        share = journal + rest - copied - 100
        bench.add('dm-ckpt', '%s, %s' % (what, when), '%', [share])
        bench.rows[-1].update(goal='<= 3', met=share <= 3)
        machine.write_back()
    bench.add('dm-ckpt', '%s, data moved' % what, '%', [copied])
    cached, limit = machine.both('cached')
    bench.add('dm-ckpt', 'cached, of cache_mb', '%', [100 * cached / limit])
    bench.rows[-1].update(goal='<= 100', met=cached <= limit)
    machine.clean()


def scattered(bench, number):
    """Store space for each byte that has changed, once frozen."""
    offsets = [b << 16 for b in random.Random(2).sample(range(4 << 10), number)]
    system = systems.Ckpt()
    disk = system.create(256)
    system.checkpoint(0)
    machine.write_back()
    before = machine.part('used')
    machine.scatter(disk, offsets)
    system.checkpoint(1)
    machine.write_back()
    took = (machine.part('used') - before) * UNIT / (number * 4096)
    machine.clean()
    thin = systems.Thin()
    disk = thin.create(256)
    thin.checkpoint(0)

    def blocks():
        return int(agent.do_status('self-thin-pool').split()[5].split('/')[0])
    before = blocks()
    machine.scatter(disk, offsets)
    agent.do_suspend('self-thin')
    agent.do_resume('self-thin')
    theirs = (blocks() - before) * 65536 / (number * 4096)
    machine.clean()
    bench.add('dm-thin', 'space, of 4 KiB changes', 'times', [theirs])
    bench.add('dm-ckpt', 'space, of 4 KiB changes', 'times', [took], [theirs], 'dm-thin')
    bench.rows[-1].update(goal='<= 1.1', met=took <= 1.1)


def run(bench):
    machine.ram_disks(2, 768 if bench.quick else 1100)
    mapped(bench, systems.STORE, 256 if bench.quick else 512)
    scattered(bench, 2000)
    # As large as a store has to be to keep as many dirty nodes as any may, and more.  Their memory
    # comes as they are written.
    for gib, number in ((8, 20000),) if bench.quick else ((8, 20000), (8, 200000), (32, 200000)):
        machine.ram_disks(2, gib << 10, filled=False)
        written(bench, systems.STORE, 64, number)
