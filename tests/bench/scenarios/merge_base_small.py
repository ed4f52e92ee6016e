# SPDX-License-Identifier: GPL-2.0-only
"""Single blocks of 4 KiB, all over the volume, go into the base, against `qemu-img commit` of a
qcow2 overlay on the same device, with the cluster sizes that are best for reading and for this."""

import random
import subprocess

import machine

QCOW2 = {'qcow2': 'cluster_size=64k', 'qcow2, subclusters': 'cluster_size=128k,extended_l2=on'}


def commit(store, origin, mib, options, offsets):
    machine.run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', options, '-F', 'raw',
                '-b', origin, store, '%dM' % mib)
    subprocess.run(['qemu-io', '-t', 'none', '-f', 'qcow2', store], check=True, text=True,
                   input=''.join('write -q %d 4096\n' % at for at in offsets),
                   stdout=subprocess.DEVNULL)
    return machine.seconds(machine.run, 'qemu-img', 'commit', '-q', '-d', '-t', 'none', store)


def merge(store, origin, offsets):
    machine.store(store)
    disk = machine.volume('disk', origin=origin)
    machine.checkpoint('c', 'disk')
    machine.scatter(disk, offsets)
    machine.delete('disk@c')
    took = machine.merge()
    machine.clean()
    return took


def run(bench):
    mib = 512
    nr = 4096 if bench.quick else 16384
    store, origin = machine.ram_disks(2, mib)
    rates = {name: [] for name in ['dm-ckpt', *QCOW2]}
    # What it takes to start is not the peer's fault.
    repeat = 1 if bench.quick else bench.repeat
    start = min(commit(store, origin, mib, QCOW2['qcow2'], []) for _ in range(repeat))
    for i in range(repeat):
        offsets = [at * 4096 for at in random.Random(i).sample(range(mib * 256), nr)]
        for name, options in QCOW2.items():
            rates[name].append(nr / (commit(store, origin, mib, options, offsets) - start))
        rates['dm-ckpt'].append(nr / merge(store, origin, offsets))
    for name in QCOW2:
        bench.add(name, 'commit', 'extents/s', rates[name])
    for name in QCOW2:
        bench.add('dm-ckpt', 'merge', 'extents/s', rates['dm-ckpt'], rates[name], name, 3)
