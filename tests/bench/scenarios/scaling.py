# SPDX-License-Identifier: GPL-2.0-only
"""Two jobs on two CPUs against one: on one volume, and on a volume each."""

import random

import machine
import systems
import target

ALONE = True
MIB = 64
VOLUME = machine.DM + 'disk'


def volumes():
    """Two, all of which has been written since a checkpoint."""
    machine.store(systems.STORE)
    for name in 'disk0', 'disk1':
        disk = machine.volume(name, MIB)
        machine.fill(disk, 0, MIB << 20)
        machine.checkpoint('c', name)
        machine.fill(disk, 0, MIB << 20)


def turn(rw, seconds, found):
    """All that is compared, in random order."""
    linear = systems.Linear().create(MIB)
    volumes()
    todo = [('linear', linear, 1), ('linear, 2 jobs', linear, 2), ('1 job', VOLUME + '0', 1),
            ('2 jobs', VOLUME + '0', 2), ('2 volumes', VOLUME + '$jobnum', 2)]
    for what, disk, jobs in random.sample(todo, len(todo)):
        found.setdefault((rw, what), []).append(
            target.fio(disk, rw, '4k', MIB, seconds, jobs=jobs))
    machine.clean()


def run(bench):
    machine.ram_disks(2, 512)
    seconds, repeat = (1, 1) if bench.quick else (2, 2 * bench.repeat)
    found = {}
    for _ in range(repeat):
        for rw in 'randread', 'randwrite':
            turn(rw, seconds, found)
    for rw in 'randread', 'randwrite':
        bench.add('dm-linear', rw + ', 2 jobs', 'I/O/s', found[rw, 'linear, 2 jobs'],
                  found[rw, 'linear'], '1 job')
        for what in '2 jobs', '2 volumes':
            bench.add('dm-ckpt', '%s, %s' % (rw, what), 'I/O/s', found[rw, what],
                      found[rw, '1 job'], '1 job', 1.8)
