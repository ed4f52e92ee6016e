# SPDX-License-Identifier: GPL-2.0-only
"""Jobs on two CPUs against one job: on one volume, and on a volume each."""

import random

import machine
import systems
import target

ALONE = True
MIB = 64
VOLUME = machine.DM + 'disk'


def volumes(nr):
    """All has been written since a checkpoint."""
    machine.store(systems.STORE)
    for i in range(nr):
        disk = machine.volume('disk%d' % i, MIB)
        machine.fill(disk, 0, MIB << 20)
        machine.checkpoint('c', 'disk%d' % i)
        machine.fill(disk, 0, MIB << 20)


def turn(rw, seconds, many, found):
    """All that is compared, in random order."""
    linear = systems.Linear().create(MIB)
    volumes(max(many))
    todo = [('linear, 1 jobs', linear, 1), ('1 jobs', VOLUME + '0', 1)]
    for jobs in many:
        todo += [('linear, %d jobs' % jobs, linear, jobs), ('%d jobs' % jobs, VOLUME + '0', jobs),
                 ('%d volumes' % jobs, VOLUME + '$jobnum', jobs)]
    for what, disk, jobs in random.sample(todo, len(todo)):
        found.setdefault((rw, what), []).append(
            target.fio(disk, rw, '4k', MIB, seconds, jobs=jobs))
    machine.clean()


def run(bench):
    many = (2,) if bench.quick else (2, 4, 8)
    # Of each volume's block there are two.
    machine.ram_disks(2, 128 + 2 * MIB * max(many))
    seconds, repeat = (1, 1) if bench.quick else (2, 2 * bench.repeat)
    found = {}
    for _ in range(repeat):
        for rw in 'randread', 'randwrite':
            turn(rw, seconds, many, found)
    for rw in 'randread', 'randwrite':
        for jobs in many:
            bench.add('dm-linear', '%s, %d jobs' % (rw, jobs), 'I/O/s',
                      found[rw, 'linear, %d jobs' % jobs], found[rw, 'linear, 1 jobs'], '1 job')
        for jobs in many:
            for what in 'jobs', 'volumes':
                bench.add('dm-ckpt', '%s, %d %s' % (rw, jobs, what), 'I/O/s',
                          found[rw, '%d %s' % (jobs, what)], found[rw, '1 jobs'], '1 job', 1.8)
