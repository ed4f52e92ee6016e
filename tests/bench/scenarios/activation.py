# SPDX-License-Identifier: GPL-2.0-only
"""Activation after a crash: of a store whose journal is as full as it gets before it is written
back, of one whose journal has a slot in each of many leaves, on a disk that takes long for each
read, of one with 1,000 checkpoints, there as well, and of an empty one for comparison; until a
volume has read its first block.  The crash is a copy of the device at a moment when all is in the
journal.  In the machine that counts: a nanosecond is an instruction."""

import machine

COUNTING = True
PART = 100           # so many slots in a commit
CLUSTERS = 1000
LEAF_SHIFT = 25     # log2 of the bytes that a leaf spans
VOLUME_MIB = 32 << 10
DISK_MS = 2


def fill_journal(disk):
    """Until a bit more would have it written back, at half: one more block of each cluster at a
    time, so that each of their slots is in the journal again and again."""
    for block in range(32):
        for i in range(0, CLUSTERS, PART):
            machine.scatter(disk, [((i + k) << 17) + (block << 12) for k in range(PART)])
            machine.flush(disk)
            used, blocks = machine.both('journal')
            if used > 0.45 * blocks:
                return


def many(number):
    for i in range(number):
        machine.checkpoint('c%d' % i, 'disk')


def reach(disk, leaves):
    """A slot in each of so many leaves, which are on disk, is in the journal alone."""
    for block in 0, 1:
        machine.message('commit')
        machine.scatter(disk, [(i << LEAF_SHIFT) + (block << 12) for i in range(leaves)])


def copy(source, to):
    machine.run('dd', 'if=' + source, 'of=' + to, 'bs=1M', 'iflag=direct', 'oflag=direct',
                'status=none')


def activate(disk):
    def begin():
        machine.read(machine.activate(disk, 'disk', mib=VOLUME_MIB), 0)
    return 1000 * machine.seconds(begin)


def measure(bench, what, prepare, store, crashed, again):
    machine.store(store)
    disk = machine.volume('disk', VOLUME_MIB)
    prepare(disk)
    machine.flush(disk)
    journal, blocks = machine.both('journal')
    copy(store, crashed)
    machine.clean()
    found = []
    for _ in range(1 if bench.quick else bench.repeat):
        copy(crashed, again)    # anew, as what was replayed has been changed since
        found.append(activate(again))
        machine.clean()
    row = bench.add('dm-ckpt', '%s, journal %.0f %%' % (what, 100 * journal / blocks), 'ms', found)
    row.update(goal='< 1 s', met=max(found) < 1000)


def run(bench):
    mib = 192 if bench.quick else 384
    store, crashed, again = machine.ram_disks(3, mib)
    number, leaves = (100, 300) if bench.quick else (1000, 700)
    takes = '%d checkpoints' % number, lambda disk: many(number)
    for what, prepare in ('empty', lambda disk: None), ('full journal', fill_journal), takes:
        measure(bench, what, prepare, store, crashed, again)
    with machine.null_disks(1, mib, irqmode=2, completion_nsec=DISK_MS * 1000000) as (slow,):
        for what, prepare in ('%d leaves' % leaves, lambda disk: reach(disk, leaves)), takes:
            measure(bench, '%s, disk of %d ms' % (what, DISK_MS), prepare, store, crashed, slow)
