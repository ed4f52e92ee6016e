# SPDX-License-Identifier: GPL-2.0-only
"""What fio gets through each system, by target.fio: without a checkpoint, the first writes after
one, and when all has been written since; on devices of memory, and once on a modelled disk
(null_blk, which answers after 100 us); and reads through 1, 64 and 256 layers, warm, and cold: when
the store has just been opened, with nothing of it in memory. In random order. qcow2 runs in QEMU's
own process: it is exported as a block device, and measured once more by `qemu-img bench`, beside raw
and a volume of ours."""

import random
import re
import statistics

import machine
import systems
import target
from machine import agent

ALONE = True
MIB = 96
DEPTH_MIB = 8
DEPTHS = 1, 64, 256
DISK_US = 100
FIRST = 4096            # first writes, of as many blocks; fewer than there are
# The same of more blocks, and more often, against dm-linear: that takes a third of a second.
MOST, MOST_TIMES = 20000, 3
QCOW2 = {'qcow2': 'cluster_size=64k', 'qcow2, subclusters': 'cluster_size=128k,extended_l2=on'}
GOALS = {'no checkpoint': {'4 KiB random read': .98, '4 KiB random write': .98,
                           '1 MiB read': .97, '1 MiB write': .97},
         'steady': {'4 KiB random read': .95, '4 KiB random write': .95,
                    '1 MiB read': .97, '1 MiB write': .97},
         'first touch': {'4 KiB random write': .90, 'random write, most blocks': .90}}
# First writes, to those of others.
TIMES = {'dm-thin': 5, 'dm-thin, no zeroing': 5, 'dm-snapshot 4k': 5, 'dm-snapshot 64k': 5,
         'qcow2, subclusters': 1.5}


def cases(disk, what, name, seconds, small, found):
    for case, rw, bs in target.CASES[:2] if small else target.CASES:
        found.setdefault((what, case, name), []).append(target.fio(disk, rw, bs, MIB, seconds))


def plain(kind, seconds, small, found):
    system = kind()
    cases(system.create(MIB), 'no checkpoint', system.name, seconds, small, found)
    machine.clean()


def checkpointed(kind, seconds, small, found):
    system = kind()
    disk = system.create(MIB)
    if hasattr(system, 'checkpoint'):
        system.checkpoint(0)
    found.setdefault(('first touch', '4 KiB random write', system.name), []).append(
        target.fio(disk, 'randwrite', '4k', MIB, number=FIRST))
    for i in range(MOST_TIMES) if kind in (systems.Linear, systems.Ckpt) else ():
        if hasattr(system, 'checkpoint'):
            system.checkpoint(i + 1)
        found.setdefault(('first touch', 'random write, most blocks', system.name), []).append(
            target.fio(disk, 'randwrite', '4k', MIB, number=MOST))
    machine.fill(disk, 0, MIB << 20)
    cases(disk, 'steady', system.name, seconds, small, found)
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


def reads_through(depth, disk, seconds, found):
    """Reads through so many layers, each time of a store that has just been opened, and then of the
    same with all in memory: random ones, and front to back."""
    number = (DEPTH_MIB << 8) // 4
    agent.do_remove('disk', machine.STORE)
    machine.activate(systems.STORE, 'disk', DEPTH_MIB)
    found.setdefault((depth, 'cold random read'), []).append(
        target.fio(disk, 'randread', '4k', DEPTH_MIB, number=number))
    found.setdefault((depth, 'random read of as many'), []).append(
        target.fio(disk, 'randread', '4k', DEPTH_MIB, number=number))
    agent.do_remove('disk', machine.STORE)
    machine.activate(systems.STORE, 'disk', DEPTH_MIB)
    for what in 'cold scan', 'scan':
        found.setdefault((depth, what), []).append(machine.scan(disk, DEPTH_MIB))
    found.setdefault((depth, 'random read'), []).append(
        target.fio(disk, 'randread', '4k', DEPTH_MIB, seconds))


def chain(seconds, repeat, depths=DEPTHS):
    """Each of the layers has a random tenth of the blocks."""
    disk = systems.Linear().create(DEPTH_MIB)
    linear = [machine.scan(disk, DEPTH_MIB) for _ in range(repeat)]
    machine.clean()
    system = systems.Ckpt()
    disk = system.create(DEPTH_MIB)
    done, found = 0, {}
    for depth in depths:
        system.layers(done, depth, DEPTH_MIB)
        done = depth
        for _ in range(repeat):
            reads_through(depth, disk, seconds, found)
    machine.clean()
    return found, linear


def report_chain(bench, found, linear):
    for depth in sorted({depth for depth, _ in found}):
        def add(what, unit, *peer, depth=depth):
            bench.add('dm-ckpt', 'depth %d, %s' % (depth, what), unit, found[depth, what], *peer)
        add('random read', 'I/O/s', found[1, 'random read'], 'depth 1', .97)
        add('cold random read', 'I/O/s', found[depth, 'random read of as many'], 'warm')
        add('cold scan', 'MiB/s', found[depth, 'scan'], 'warm', .8)
        add('scan', 'MiB/s', linear, 'dm-linear')


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
            if peer in TIMES and (what, case, peer) in found:
                bench.add(name, metric, 'I/O/s', values, found[what, case, peer], peer, TIMES[peer])


def measure(bench, where, peers, small, repeat):
    """@small: no transfers of 1 MiB.  If quick, peers are measured once, and without those."""
    seconds = .5 if bench.quick else 3
    found = {}
    todo = [(plain, kind, small) for kind in systems.PLAIN]
    todo += [(checkpointed, kind, small) for kind in (systems.Linear, systems.Ckpt)]
    others = [(checkpointed, kind, small or bench.quick) for kind in peers]
    for i in range(repeat):
        turn = todo + (others if not i or not bench.quick else [])
        random.shuffle(turn)
        for what, kind, less in turn:
            what(kind, seconds, less, found)
    report(bench, where, found, 'dm-linear', [kind.name for kind in peers])


def run(bench):
    machine.ram_disks(2, 512)
    repeat = 1 if bench.quick else bench.repeat
    peers = [systems.Thin] if bench.quick else systems.CHECKPOINTED[1:]
    measure(bench, '', peers + ([] if bench.quick else systems.EXPORTED), False, repeat)
    found = {}
    names = ['qcow2, subclusters'] if bench.quick else list(QCOW2)
    todo = [(images, name) for name in ['raw, by QEMU', *names]] + [(volume_images,)]
    for _ in range(repeat):
        random.shuffle(todo)
        for what, *args in todo:
            what(*args, found)
    report(bench, 'by QEMU: ', found, 'raw, by QEMU', names)
    if bench.quick:
        report_chain(bench, *chain(.5, repeat, DEPTHS[:2]))
    else:
        report_chain(bench, *chain(3, repeat))
    if not bench.quick:
        with machine.null_disks(2, 512, irqmode=2, completion_nsec=DISK_US * 1000) as disks, \
                systems.on(*disks):
            measure(bench, 'modelled disk: ', [systems.Thin], True, 2)
