# SPDX-License-Identifier: GPL-2.0-only
"""Two jobs on two CPUs against one: on one volume, and on a volume each."""

import json
import subprocess

import machine
import systems
import target

MIB = 64


def both(disks, rw, seconds):
    """A job for each of the disks at once; all their transfers in a second."""
    jobs = [subprocess.Popen(
        ['fio', '--name=job', '--filename=' + disk, '--rw=' + rw, '--bs=4k', '--size=%dm' % MIB,
         '--ioengine=io_uring', '--iodepth=256', '--iodepth_batch_submit=128',
         '--iodepth_batch_complete_min=128', '--registerfiles', '--fixedbufs', '--thread',
         '--gtod_reduce=1', '--norandommap', '--direct=1', '--time_based',
         '--runtime=%d' % seconds, '--output-format=json'],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for disk in disks]
    outs = [job.communicate()[0] for job in jobs]
    direction = 'read' if 'read' in rw else 'write'
    return sum(json.loads(out[out.index('{'):])['jobs'][0][direction]['iops'] for out in outs)


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
