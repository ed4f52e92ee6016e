# SPDX-License-Identifier: GPL-2.0-only
"""A write of 4 KiB and an fsync, over and over, by one writer and by sixteen, on a disk that takes
2 ms, and up to a tick, for a flush (dm-delay over null_blk); and how many commits dm-ckpt has made
for each fsync."""

import json
import random

import machine
import systems
from machine import agent

FLUSH_MS = 2
MIB = 64


def fsyncs(disk, jobs, seconds):
    """In a second, and in all."""
    out = machine.run('fio', '--name=fsync', '--filename=' + disk, '--size=%dm' % MIB,
                      '--rw=randwrite', '--bs=4k', '--direct=1', '--fsync=1', '--ioengine=psync',
                      '--thread', '--numjobs=%d' % jobs, '--group_reporting', '--time_based',
                      '--runtime=%d' % seconds, '--output-format=json')
    write = json.loads(out[out.index('{'):])['jobs'][0]['write']
    return write['iops'], write['total_ios']


def slow(disk, name):
    agent.do_create(name, machine.sectors_of(disk), 'delay',
                    '%s 0 0 %s 0 0 %s 0 %d' % (disk, disk, disk, FLUSH_MS))
    return machine.DM + name


def measure(kind, jobs, seconds, found):
    system = kind()
    disk = system.create(MIB)
    if hasattr(system, 'checkpoint'):
        system.checkpoint(0)
    before = machine.status('commits') if kind is systems.Ckpt else 0
    rate, number = fsyncs(disk, jobs, seconds)
    found.setdefault((jobs, system.name), []).append(rate)
    if kind is systems.Ckpt:
        found.setdefault((jobs, 'commits'), []).append(
            (machine.status('commits') - before) / number)
    machine.clean()


def run(bench):
    machine.run('modprobe', 'dm-delay')
    seconds = 2 if bench.quick else 5
    found = {}
    todo = [(kind, jobs) for kind in (systems.Linear, systems.Ckpt, systems.Thin)
            for jobs in (1, 16)]
    # With a cache, as nobody flushes a disk without one.
    with machine.null_disks(2, 256, irqmode=0, cache_size=64) as disks:
        for _ in range(bench.repeat):
            random.shuffle(todo)
            for kind, jobs in todo:
                with systems.on(*(slow(d, 'self-slow%d' % i) for i, d in enumerate(disks))):
                    measure(kind, jobs, seconds, found)
    for jobs in 1, 16:
        of = {name: values for (j, name), values in found.items() if j == jobs}
        linear = of['dm-linear']
        for name in 'dm-linear', 'dm-thin':
            bench.add(name, 'fsyncs of %d' % jobs, 'per s', of[name], linear, 'dm-linear')
        bench.add('dm-ckpt', 'fsyncs of %d' % jobs, 'per s', of['dm-ckpt'], linear, 'dm-linear',
                  0.8)
        bench.add('dm-ckpt', 'fsyncs of %d' % jobs, 'per s', of['dm-ckpt'], of['dm-thin'],
                  'dm-thin', 2)
        bench.add('dm-ckpt', 'commits for each of %d' % jobs, 'commits', of['commits'])
