# SPDX-License-Identifier: GPL-2.0-only
"""Two jobs on two CPUs against one: on one volume, and on a volume each."""

import machine
import systems
import target

ALONE = True
MIB = 64


def both(disks, rw, seconds):
    """A job for each of the disks at once; all their transfers in a second."""
    jobs = [target.start(disk, rw, '4k', MIB, seconds=seconds) for disk in disks]
    return sum(target.rate(job, rw) for job in jobs)


def volumes():
    machine.store(systems.STORE)
    disks = [machine.volume('disk%d' % i, MIB) for i in (0, 1)]
    for i, disk in enumerate(disks):
        machine.fill(disk, 0, MIB << 20)
        machine.checkpoint('c', 'disk%d' % i)
        machine.fill(disk, 0, MIB << 20)
    return disks


def run(bench):
    machine.ram_disks(2, 512)
    seconds, repeat = (1, 1) if bench.quick else (5, bench.repeat)
    for rw in 'randread', 'randwrite':
        one, two, apart, linear, linears = [], [], [], [], []
        for _ in range(repeat):
            disk = systems.Linear().create(MIB)
            linear.append(target.fio(disk, rw, '4k', MIB, seconds))
            linears.append(target.fio(disk, rw, '4k', MIB, seconds, jobs=2))
            machine.clean()
            disks = volumes()
            one.append(target.fio(disks[0], rw, '4k', MIB, seconds))
            two.append(target.fio(disks[0], rw, '4k', MIB, seconds, jobs=2))
            apart.append(both(disks, rw, seconds))
            machine.clean()
        bench.add('dm-linear', rw + ', 2 jobs', 'I/O/s', linears, linear, '1 job')
        bench.add('dm-ckpt', rw + ', 2 jobs', 'I/O/s', two, one, '1 job', 1.8)
        bench.add('dm-ckpt', rw + ', 2 volumes', 'I/O/s', apart, one, '1 job', 1.8)
