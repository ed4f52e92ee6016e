# SPDX-License-Identifier: GPL-2.0-only
"""dm-linear over the very places at which a volume's blocks stand in its store. Who reads blocks that
are all over a device has them in more pages than who reads as many side by side, and an emulated CPU
looks up each page as a real one does, but has room for fewer: that is no target's doing. What a
target adds shows against this.

A block is found by what it contains, so each has to have a content of its own: see mark()."""

import mmap
import os
import subprocess

import machine
from machine import DM, MIB

NAME = 'linear, same places'
BLOCK = 4096


def mark(path, mib):
    """Write all of it, each block with a content of its own."""
    content = mmap.mmap(-1, MIB)
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    for at in range(0, mib * MIB, MIB):
        for block in range(0, MIB, BLOCK):
            content[block:block + machine.OWN.size] = machine.own_content()
        if os.pwrite(fd, content, at) != MIB:
            raise OSError('short write to %s' % path)
    os.close(fd)


def contents(path, mib):
    """What tells each block from all others, in their order."""
    part = mmap.mmap(-1, MIB)
    # Past the page cache: what is written to a volume does not go through its store's.
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    for at in range(0, mib * MIB, MIB):
        if os.preadv(fd, [part], at) != MIB:
            raise OSError('short read of %s' % path)
        for block in range(0, MIB, BLOCK):
            yield part[block:block + machine.OWN.size]
    os.close(fd)


def linear(disk, mib, store):
    """A device like @disk, whose blocks stand where they do in @store, with dm-linear alone between."""
    where = {content: place for place, content in
             enumerate(contents(store, machine.sectors_of(store) * 512 // MIB))}
    runs = []       # first block, place, number
    for block, content in enumerate(contents(disk, mib)):
        place = where[content]
        if runs and place == runs[-1][1] + runs[-1][2]:
            runs[-1][2] += 1
        else:
            runs.append([block, place, 1])
    name = 'self-' + os.path.basename(disk)
    lines = ['%d %d linear %s %d' % (block * 8, nr * 8, store, place * 8)
             for block, place, nr in runs]
    subprocess.run(['dmsetup', 'create', name], input='\n'.join(lines), text=True, check=True)
    return DM + name
