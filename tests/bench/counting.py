# SPDX-License-Identifier: GPL-2.0-only
"""Instructions for each I/O, by build/tests/bench/instructions in a machine of `scripts/vm -n`.

A cell is (situation, direction, system); its value what one 4 KiB transfer takes. All systems
stand on the same brd devices, so what dm-linear takes over the raw device is in the table too."""

import os

import machine
import systems

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       '../../build/tests/bench/instructions')
MIB = 64
BLOCKS = MIB << 8
CHAIN_MIB = 4         # 256 layers are a lot to write
SEED = 1


def transfers(disk, direction, number=500, times=5, seed=SEED, blocks=BLOCKS):
    """What one took, of so many, so many times over."""
    return [float(word) for word in
            machine.run(PROGRAM, disk, direction, '4096', str(blocks), str(number), str(times),
                        str(seed)).split()]


def everything(disk, direction, blocks=BLOCKS):
    transfers(disk, direction, blocks, 1, blocks=blocks)


def plain(kinds=tuple(systems.PLAIN)):
    """(a): no checkpoint."""
    for system in (s() for s in kinds):
        disk = system.create(MIB)
        for direction in 'read', 'write':
            everything(disk, direction)
            yield 'no checkpoint', direction, system.name, transfers(disk, direction)
        machine.clean()


def checkpointed(kinds=tuple(systems.CHECKPOINTED)):
    """(b): first touch after a checkpoint, and what comes then; on all of the volume."""
    for system in (s() for s in kinds):
        disk = system.create(MIB)
        # Twice: the first time there is more to allocate.  Few, so that hardly two of them
        # meet in one block of 64 KiB.
        for i in 0, 1:
            system.checkpoint(i)
            first = transfers(disk, 'write', 50, 4, SEED + i)
        yield 'first touch', 'write', system.name, first
        for direction in 'write', 'read':     # so that all has been written when it is read
            everything(disk, direction)
            yield 'steady', direction, system.name, transfers(disk, direction)
        machine.clean()


def layer(system, i):
    """One more, with a random tenth of the blocks."""
    system.checkpoint(i)
    blocks = CHAIN_MIB << 8
    transfers(system.disk, 'write', blocks // 10, 1, 1000 + i, blocks)


def chain(depths, kinds=(systems.Ckpt,)):
    """(c): reads through so many layers, when all that is needed is in memory."""
    for system in (s() for s in kinds):
        system.create(CHAIN_MIB)
        done = 0
        for depth in depths:
            for done in range(done, depth):
                layer(system, done)
            done = depth
            # So many layers leave few whole windows, and what makes some is not to be counted.
            if hasattr(system, 'rest'):
                system.rest()
            everything(system.disk, 'read', CHAIN_MIB << 8)
            yield 'depth %d' % depth, 'read', system.name, transfers(
                system.disk, 'read', blocks=CHAIN_MIB << 8)
        if hasattr(system, 'remove'):
            system.remove()
        machine.clean()
