# SPDX-License-Identifier: GPL-2.0-only
"""Instructions for each I/O, by build/tests/bench/instructions in a machine of `scripts/vm -n`.

A cell is (situation, direction, system); its value what one 4 KiB transfer takes. All systems
stand on the same brd devices, so what dm-linear takes over the raw device is in the table too."""

import os

import machine
import systems

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       '../../build/tests/bench/instructions')
MIB = 16
BLOCKS = MIB << 8
SEED = 1


def transfers(disk, direction, number=500, times=5, seed=SEED):
    """What one took, of so many, so many times over."""
    return [float(word) for word in
            machine.run(PROGRAM, disk, direction, '4096', str(BLOCKS), str(number), str(times),
                        str(seed)).split()]


def everything(disk, direction):
    transfers(disk, direction, BLOCKS, 1)


def plain():
    """(a): no checkpoint."""
    for system in (s() for s in systems.PLAIN):
        disk = system.create(MIB)
        for direction in 'read', 'write':
            everything(disk, direction)
            yield 'no checkpoint', direction, system.name, transfers(disk, direction)
        machine.clean()


def checkpointed(kinds=tuple(systems.CHECKPOINTED)):
    """(b): first touch after a checkpoint, and what comes then; on all of the volume."""
    for system in (s() for s in kinds):
        disk = system.create(MIB)
        # Two of them, and twice: the first time there is more to allocate.
        for i in 0, 1:
            system.checkpoint(i)
            first = transfers(disk, 'write', BLOCKS // 4, 4, SEED + i)
        yield 'first touch', 'write', system.name, first
        for direction in 'read', 'write':
            everything(disk, direction)
            yield 'steady', direction, system.name, transfers(disk, direction)
        machine.clean()


def layer(system, i):
    """One more, with a random tenth of the blocks."""
    system.checkpoint(i)
    transfers(system.disk, 'write', BLOCKS // 10, 1, 1000 + i)


def chain(depths, kinds=(systems.Ckpt,)):
    """(c): reads through so many layers, when all that is needed is in memory."""
    for system in (s() for s in kinds):
        system.create(MIB)
        done = 0
        for depth in depths:
            for done in range(done, depth):
                layer(system, done)
            done = depth
            everything(system.disk, 'read')
            yield 'depth %d' % depth, 'read', system.name, transfers(system.disk, 'read')
        machine.clean()
