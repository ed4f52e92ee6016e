# SPDX-License-Identifier: GPL-2.0-only
"""What fio gets through each system, by target.fio: without a checkpoint, the first writes after
one, and when all has been written since; on devices of memory, and once on a modelled disk
(null_blk, which answers after 100 us); and reads through 1 and 64 layers. In random order. qcow2
runs in QEMU's own process: it is exported as a block device, and measured once more by `qemu-img
bench`, beside raw and a volume of ours."""

import random
import re
import statistics

import machine
import systems
import target

MIB = 96
DEPTH_MIB = 8
DISK_US = 100
FIRST = 4096            # first writes, of as many blocks; fewer than there are
QCOW2 = {'qcow2': 'cluster_size=64k', 'qcow2, subclusters': 'cluster_size=128k,extended_l2=on'}
GOALS = {'no checkpoint': {'4 KiB random read': .98, '4 KiB random write': .98,
                           '1 MiB read': .97, '1 MiB write': .97},
         'steady': {'4 KiB random read': .95, '4 KiB random write': .95,
                    '1 MiB read': .97, '1 MiB write': .97},
         'first touch': {'4 KiB random write': .90}}
# First writes, to those of others.
TIMES = {'dm-thin': 5, 'dm-thin, no zeroing': 5, 'dm-snapshot 4k': 5, 'dm-snapshot 64k': 5,
         'qcow2, subclusters': 1.5}


def cases(disk, what, name, seconds, some, found):
    for case, rw, bs in target.CASES[:2] if some else target.CASES:
        found.setdefault((what, case, name), []).append(target.fio(disk, rw, bs, MIB, seconds))


def plain(kind, seconds, some, found):
    system = kind()
    cases(system.create(MIB), 'no checkpoint', system.name, seconds, some, found)
    machine.clean()


def checkpointed(kind, seconds, some, found):
    system = kind()
    disk = system.create(MIB)
    if hasattr(system, 'checkpoint'):
        system.checkpoint(0)
    found.setdefault(('first touch', '4 KiB random write', system.name), []).append(
        target.fio(disk, 'randwrite', '4k', MIB, number=FIRST))
    machine.fill(disk, 0, MIB << 20)
    cases(disk, 'steady', system.name, seconds, some, found)
    machine.clean()


def qemu(path, form, write, number, step):
    """Blocks of 4 KiB, so far from one another, in a second."""
    out = machine.run('qemu-img', 'bench', '-f', form, '-t', 'none', '-n', '-c', str(number),
                      '-d', '64', '-s', '4096', '-S', str(step), *(['-w'] if write else []), path)
    return number / float(re.search(r'in ([0-9.]+) seconds', out)[1])


def overlay(path, base, base_form, options, mib):
    machine.run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', options, '-F', base_form,
                '-b', base, path, '%dM' % mib)


def images(name, found):
    """Each as often as there are places at that distance: none is met twice by first writes."""
    machine.fill(systems.ORIGIN, 0, MIB << 20)
    number, step = (MIB << 20) // 65536, 65536
    if name == 'raw, by QEMU':
        path, form = systems.ORIGIN, 'raw'
    else:
        path, form = systems.STORE, 'qcow2'
        overlay(path, systems.ORIGIN, 'raw', QCOW2[name], MIB)
    found.setdefault(('first touch', '4 KiB write', name), []).append(
        qemu(path, form, True, number, step))
    for case, write in ('4 KiB read', False), ('4 KiB write', True):
        found.setdefault(('steady', case, name), []).append(
            qemu(path, form, write, 4 * number, step))


def volume_images(found):
    """The same on a volume of ours, for a comparison with the same instrument."""
    disk = systems.Ckpt().create(MIB)
    machine.checkpoint('c', 'disk')
    number, step = (MIB << 20) // 65536, 65536
    found.setdefault(('first touch', '4 KiB write', 'dm-ckpt'), []).append(
        qemu(disk, 'raw', True, number, step))
    for case, write in ('4 KiB read', False), ('4 KiB write', True):
        found.setdefault(('steady', case, 'dm-ckpt'), []).append(
            qemu(disk, 'raw', write, 4 * number, step))
    machine.clean()


def chain(seconds, repeat, depths=(1, 64)):
    system = systems.Ckpt()
    disk = system.create(DEPTH_MIB)
    done, found = 0, {}
    blocks = DEPTH_MIB << 8
    for depth in depths:
        for i in range(done, depth):
            system.checkpoint(i)
            machine.scatter(disk, [b << 12 for b in random.Random(i).sample(
                range(blocks), blocks // 10)])
        done = depth
        target.fio(disk, 'randread', '4k', DEPTH_MIB, 1)
        found[depth] = [target.fio(disk, 'randread', '4k', DEPTH_MIB, seconds)
                        for _ in range(repeat)]
    machine.clean()
    return found


def report(bench, where, found, linear, peers):
    """Ratios to @linear; and what is dm-ckpt's, to the best of @peers as well."""
    for (what, case, name), values in sorted(found.items()):
        base = found.get((what, case, linear))
        ours = name == 'dm-ckpt'
        goal = GOALS.get(what, {}).get(case) if ours and linear == 'dm-linear' else None
        metric = '%s%s, %s' % (where, what, case)
        row = bench.add(name, metric, 'I/O/s', values, base, linear, goal)
        best = [statistics.median(found[what, case, p]) for p in peers
                if (what, case, p) in found]
        if ours and best:
            row['ratio_to_best'] = statistics.median(values) / max(best)
        for peer in peers if ours and what == 'first touch' else []:
            if peer in TIMES:
                bench.add(name, metric, 'I/O/s', values, found[what, case, peer], peer, TIMES[peer])


def measure(bench, where, peers, some):
    seconds = 1 if bench.quick else 3
    found = {}
    todo = [(plain, kind) for kind in systems.PLAIN]
    todo += [(checkpointed, kind) for kind in [systems.Linear, systems.Ckpt, *peers]]
    for _ in range(2 if some else bench.repeat):
        random.shuffle(todo)
        for what, kind in todo:
            what(kind, seconds, some, found)
    report(bench, where, found, 'dm-linear', [kind.name for kind in peers])


def run(bench):
    machine.ram_disks(2, 512)
    peers = systems.CHECKPOINTED[1:] + systems.EXPORTED
    if bench.quick:
        peers = [systems.Thin, *systems.EXPORTED]
    measure(bench, '', peers, bench.quick)
    found = {}
    todo = [(images, name) for name in ['raw, by QEMU', *QCOW2]] + [(volume_images,)]
    for _ in range(bench.repeat):
        random.shuffle(todo)
        for what, *args in todo:
            what(*args, found)
    report(bench, 'by QEMU: ', found, 'raw, by QEMU', list(QCOW2))
    deep = chain(1 if bench.quick else 3, bench.repeat)
    for depth, values in deep.items():
        bench.add('dm-ckpt', 'depth %d, random read' % depth, 'I/O/s', values, deep[1], 'depth 1',
                  .97)
    if not bench.quick:
        with machine.null_disks(2, 512, irqmode=2, completion_nsec=DISK_US * 1000) as disks, \
                systems.on(*disks):
            measure(bench, 'modelled disk: ', [systems.Thin], True)
