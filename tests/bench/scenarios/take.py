# SPDX-License-Identifier: GPL-2.0-only
"""Taking a checkpoint: how long the message takes, for volumes of 1 GiB and 16 TiB, the first and
after 256 others, of one volume and of sixteen at once; and what a writer sees of each of these, on a
disk that takes 2 ms for a write.  In the machine that counts, where a nanosecond is an instruction,
so that neither depends on what else the machine does."""

import itertools
import json
import subprocess
import time

import machine
from machine import agent

COUNTING = True
SIZES = ('1 GiB', 1 << 10), ('16 TiB', 16 << 20)
BEFORE = 0, 256
QUICK_BEFORE = 0, 64
GROUPS = 1, 16
DELAY_MS = 2


def takes(store, mib, before, group, number):
    """ms of so many takes in a row, each of a head that has a block."""
    machine.store(store)
    names = ['disk%d' % i for i in range(group)]
    disks = [machine.volume(name, mib) for name in names]
    for i in range(before):
        machine.checkpoint('b%d' % i, *names)
    found = []
    for i in range(number):
        for disk in disks:
            machine.scatter(disk, [i << 20])
        machine.message('commit')
        found.append(1000 * machine.seconds(machine.checkpoint, 'c%d' % i, *names))
    machine.clean()
    return found


def stall(store, mib, before, group, taking, seconds):
    """What a writer of one of so many volumes sees while there is a take of all of them every half
    a second, or none, after so many; in ms."""
    agent.do_create('self-slow', machine.sectors_of(store), 'delay',
                    '%s 0 0 %s 0 %d' % (store, store, DELAY_MS))
    machine.store(machine.DM + 'self-slow')
    names = ['disk%d' % i for i in range(group)]
    disk = [machine.volume(name, mib) for name in names][0]
    machine.fill(disk, 0, 32 << 20)
    for i in range(before):
        machine.checkpoint('b%d' % i, *names)
    fio = subprocess.Popen(
        ['fio', '--name=writer', '--filename=' + disk, '--size=32m', '--rw=randwrite', '--bs=4k',
         '--direct=1', '--ioengine=libaio', '--iodepth=4', '--time_based',
         '--runtime=%d' % seconds, '--output-format=json'],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    number = 0
    while fio.poll() is None:
        time.sleep(0.5)
        if taking and fio.poll() is None:
            machine.checkpoint('c%d' % number, *names)
            number += 1
    out = fio.stdout.read()
    latency = json.loads(out[out.index('{'):])['jobs'][0]['write']['clat_ns']
    machine.clean()
    return [latency['percentile'][p] / 1e6 for p in ('50.000000', '99.000000')] + [
        latency['max'] / 1e6]


def stalls(bench, store, many):
    """With @many takes before.  If quick, of all these cases the first and the last."""
    seconds, repeat = (3, 1) if bench.quick else (5, 2)
    cases = list(itertools.product(SIZES, many, GROUPS))
    without = list(zip(*(stall(store, 1 << 10, 0, 1, False, seconds) for _ in range(repeat))))
    for (size, mib), before, group in cases[::len(cases) - 1] if bench.quick else cases:
        found = list(zip(*(stall(store, mib, before, group, True, seconds)
                           for _ in range(repeat))))
        what = 'writes, %d of %s, after %d' % (group, size, before)
        for i, part in enumerate(('p50', 'p99', 'max')):
            row = bench.add('dm-ckpt', '%s, %s' % (what, part), 'ms', found[i], without[i],
                            'no take')
        # What comes while writes are drained waits for that, and then for itself.
        row['goal'] = '<= 2 writes + 1 ms'
        row['met'] = row['value'] <= 2 * max(without[2]) + 1


def run(bench):
    machine.run('modprobe', 'dm-delay')
    store, = machine.ram_disks(1, 512)
    number = 2 if bench.quick else 9
    many = QUICK_BEFORE if bench.quick else BEFORE
    first = {}
    for group in GROUPS:
        for before in many:
            for size, mib in SIZES:
                # To find names among many takes longer; size is to make no difference.
                found = takes(store, mib, before, group, number)
                base = first.setdefault((group, before), found)
                bench.add('dm-ckpt', '%d of %s, after %d' % (group, size, before), 'ms', found,
                          base, '1 GiB', -1.1)
    stalls(bench, store, many)
