# SPDX-License-Identifier: GPL-2.0-only
"""What a writer notices of a merge of its volume: the 99th percentile of its writes' latency, at
a rate that leaves the devices idle half of the time, against the same without the merge. The
devices take a while for all they do, as disks do, to the microsecond: where a tick is all that a
latency can differ by, that is the ratio. And a long while: what goes to or from a disk on memory,
128 KiB at a stroke, an emulated CPU copies in 1.7 ms, during which it does nothing for a writer."""

import os
import signal
import subprocess
import tempfile
import time

import machine
from machine import MIB

RATE = 50
DISK_US = 8000


def writer(disk, mib, log):
    return subprocess.Popen(
        ['fio', '--name=writer', '--filename=' + disk, '--size=%dm' % mib, '--rw=randwrite',
         '--bs=4k', '--direct=1', '--ioengine=psync', '--thread', '--rate_iops=%d' % RATE,
         '--time_based', '--runtime=300',
         '--write_lat_log=' + log, '--log_unix_epoch=1', '--output=' + log],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def percentile(latencies, share):
    return sorted(latencies)[int(len(latencies) * share)]


def latencies(log, begin, end):
    """Of what began in that time, in seconds since 1970; in µs.  fio notes the ends, in ms."""
    with open(log + '_clat.1.log') as f:
        lines = [[int(word) for word in line.split(',')[:2]] for line in f]
    return [ns / 1000 for ms, ns in lines if begin <= ms / 1000 - ns / 1e9 < end]


def head(disk, mib):
    """The only checkpoint goes, so what the volume itself has written since goes into the base."""
    machine.checkpoint('c', 'disk')
    machine.fill(disk, 0, mib * MIB)
    machine.delete('disk@c')


def below(disk, mib):
    """A layer below the volume's own goes into the base."""
    machine.checkpoint('c', 'disk')
    machine.fill(disk, 0, mib * MIB)
    machine.checkpoint('d', 'disk')
    machine.delete('disk@c')


def measure(store, origin, mib, prepare, share, before):
    """Without the merge, for so many seconds, with it; and how long it took."""
    machine.store(store)
    disk = machine.volume('disk', origin=origin)
    prepare(disk, mib)
    machine.message('merge', 'share', str(share))
    with tempfile.TemporaryDirectory(dir='/dev/shm') as work:
        log = os.path.join(work, 'log')
        fio = writer(disk, mib, log)
        begun = machine.writes_of(disk) + RATE
        machine.wait_for(lambda: machine.writes_of(disk) > begun, 0.1)
        times = [time.time()]
        time.sleep(before)
        times.append(time.time())
        took = machine.merge(0.01)
        times.append(time.time())
        fio.send_signal(signal.SIGINT)
        fio.wait()
        without = latencies(log, *times[:2])
        during = latencies(log, *times[1:])
    machine.clean()
    return percentile(without, .99), percentile(during, .99), mib / took


# What is held of a large layer is larger as well, which is seen in how long it takes.
LARGE = 256


def run(bench):
    mib, shares = (48, (50,)) if bench.quick else (64, (50, 20))
    before, repeat = (5, 1) if bench.quick else (10, bench.repeat)
    todo = [(prepare, what, mib, share)
            for prepare, what in ((head, 'own layer'), (below, 'layer below')) for share in shares]
    if bench.quick:
        todo = todo[:1]
    else:
        todo += [(head, 'own of %d MiB' % LARGE, LARGE, 50)]
    # Enough for whole windows, which have the head's writes find their places.
    with machine.one_cpu(), \
            machine.null_disks(2, 2 * max(t[2] for t in todo) + 128, irqmode=2,
                               completion_nsec=DISK_US * 1000, blocksize=4096, max_sectors=256,
                               hw_queue_depth=256) as disks:
        for prepare, what, mib, share in todo:
            without, during, rates = zip(*(measure(*disks, mib, prepare, share, before)
                                           for _ in range(repeat)))
            name = '%s, share %d' % (what, share)
            bench.add('dm-ckpt', name + ': merge', 'MiB/s', rates)
            bench.add('dm-ckpt', name + ': write p99', 'µs', during, without, 'no merge', -1.5)
