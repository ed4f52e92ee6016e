# SPDX-License-Identifier: GPL-2.0-only
"""A store that has just been opened is read front to back through 1, 16 or 64 layers of which each
holds a random tenth of the blocks, with nothing of it in memory, against the same when all of it is.
And how long the first read takes for which all layers are asked, on a disk that takes its time
for each read.  In the machine that counts: in the other one it is mostly the wake-up of a worker on
another CPU."""

import machine
import systems
from machine import agent

COUNTING = True
DEPTHS = 1, 16, 64
GOAL = .8
DISK_MS = 2


def measure(mib, depths):
    disk = systems.Linear().create(mib)
    linear = machine.scan(disk, mib)
    machine.clean()
    system = systems.Ckpt()
    disk = system.create(mib)
    done = 0
    for depth in depths:
        system.layers(done, depth, mib)
        done = depth
        agent.do_remove('disk', machine.STORE)
        machine.activate(systems.STORE, 'disk', mib=mib)
        yield depth, linear, machine.scan(disk, mib), machine.scan(disk, mib)
    machine.clean()


def first_reads(depths, repeat):
    """In ms, of a block that the lowest layer alone has."""
    mib, done = 8, 0
    system = systems.Ckpt()
    disk = system.create(mib)
    for depth in depths:
        for done in range(done, depth):
            system.checkpoint(done)
            machine.scatter(disk, [done << 12])
        done = depth
        found = []
        for _ in range(repeat):
            agent.do_remove('disk', machine.STORE)
            disk = machine.activate(systems.STORE, 'disk', mib=mib)
            found.append(1000 * machine.seconds(machine.read, disk, (mib << 20) - 4096))
        yield depth, found
    machine.clean()


def run(bench):
    mib, depths = (32, DEPTHS[:2]) if bench.quick else (128, DEPTHS)
    machine.ram_disks(2, 1536 if mib == 128 else 512)
    for depth, linear, cold, warm in measure(mib, depths):
        bench.add('dm-ckpt', 'depth %d, cold scan' % depth, 'MiB/s', [cold], [warm], 'warm', GOAL)
        bench.add('dm-ckpt', 'depth %d, scan' % depth, 'MiB/s', [warm], [linear], 'dm-linear')
    with machine.null_disks(2, 256, irqmode=2, completion_nsec=DISK_MS * 1000000) as disks, \
            systems.on(*disks):
        for depth, found in first_reads(depths, 1 if bench.quick else bench.repeat):
            bench.add('dm-ckpt', 'depth %d, first read, disk of %d ms' % (depth, DISK_MS), 'ms',
                      found)
