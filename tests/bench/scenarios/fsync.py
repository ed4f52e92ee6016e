# SPDX-License-Identifier: GPL-2.0-only
"""A write of 4 KiB and an fsync, over and over, by one writer and by sixteen, on two disks with a
cache: dm-delay over null_blk takes 2 ms, and up to a tick, for a flush, and any number of flushes at
the same time; null_blk with a timer takes 2 ms for all it does, and has one flush on its way while
the block layer gathers the others, as all disks below a driver of requests have.  Beside that, how
many commits dm-ckpt has made for each fsync, and how many flushes the disks have seen.  In the
machine that counts, where a nanosecond is an instruction, so that none of it depends on what else
the machine does."""

import contextlib
import json
import random

import machine
import systems
from machine import agent

COUNTING = True
DISK_MS = 2
MIB = 64
CACHE_MIB = 64      # as nobody flushes a disk without one
JOBS = 1, 16


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
                    '%s 0 0 %s 0 0 %s 0 %d' % (disk, disk, disk, DISK_MS))
    return machine.DM + name


@contextlib.contextmanager
def many_flushes():
    with machine.null_disks(2, 256, irqmode=0, cache_size=CACHE_MIB) as disks:
        yield disks, lambda: [slow(d, 'self-slow%d' % i) for i, d in enumerate(disks)]


@contextlib.contextmanager
def one_flush():
    with machine.null_disks(2, 256, irqmode=2, completion_nsec=DISK_MS * 1000000,
                            cache_size=CACHE_MIB) as disks:
        yield disks, lambda: disks


class Overwrites(systems.Ckpt):
    """What has been written since the checkpoint: the map does not change any more."""
    name = 'dm-ckpt, overwriting'

    def checkpoint(self, i):
        super().checkpoint(i)
        machine.fill(self.disk, 0, MIB << 20)
        machine.flush(self.disk)


KINDS = systems.Linear, systems.Ckpt, Overwrites, systems.Thin


def measure(kind, jobs, seconds, disks, found):
    system = kind()
    disk = system.create(MIB)
    if hasattr(system, 'checkpoint'):
        system.checkpoint(0)
    ours = isinstance(system, systems.Ckpt)
    flushes = sum(map(machine.flushes_of, disks))
    commits = machine.status('commits') if ours else 0
    rate, number = fsyncs(disk, jobs, seconds)
    found.setdefault((jobs, system.name, 'rate'), []).append(rate)
    found.setdefault((jobs, system.name, 'flushes'), []).append(
        (sum(map(machine.flushes_of, disks)) - flushes) / number)
    if ours:
        found.setdefault((jobs, system.name, 'commits'), []).append(
            (machine.status('commits') - commits) / number)
    machine.clean()


def commits_of(jobs):
    """For each fsync of so many writers, on the disk with one flush on its way."""
    found = {}
    with one_flush() as (disks, make), systems.on(*make()):
        measure(systems.Ckpt, jobs, 1, disks, found)
    return found[jobs, 'dm-ckpt', 'commits'][0]


def report(bench, where, found):
    for jobs in JOBS:
        linear = found[jobs, 'dm-linear', 'rate']
        what = '%s, fsyncs of %d' % (where, jobs)
        for kind in KINDS:
            ours = issubclass(kind, systems.Ckpt)
            rates = found[jobs, kind.name, 'rate']
            bench.add(kind.name, what, 'per s', rates, linear, 'dm-linear', .8 if ours else None)
            if ours:
                bench.add(kind.name, what, 'per s', rates, found[jobs, 'dm-thin', 'rate'],
                          'dm-thin', 2)
        for kind in KINDS:
            for counter in 'commits', 'flushes':
                if (jobs, kind.name, counter) in found:
                    bench.add(kind.name, '%s, of %d' % (where, jobs), counter + ' each',
                              found[jobs, kind.name, counter])


def run(bench):
    machine.run('modprobe', 'dm-delay')
    seconds, repeat = (1, 1) if bench.quick else (5, 3)
    for where, kind_of_disk in ('many flushes', many_flushes), ('one flush', one_flush):
        found = {}
        todo = [(kind, jobs) for kind in KINDS for jobs in JOBS]
        with kind_of_disk() as (disks, make):
            for _ in range(repeat):
                random.shuffle(todo)
                for kind, jobs in todo:
                    with systems.on(*make()):
                        measure(kind, jobs, seconds, disks, found)
        report(bench, where, found)
