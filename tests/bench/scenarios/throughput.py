# SPDX-License-Identifier: GPL-2.0-only
"""What fio gets through each system, by target.fio: without a checkpoint, the first writes after
one, and when all has been written since; on devices of memory, and once on a modelled disk
(null_blk, which answers after 100 us). In random order; dm-ckpt and dm-linear by turns, and when all
has been written once more, dm-linear also over the very places at which dm-ckpt has put the blocks.
qcow2 runs in QEMU's own process: it is exported as a block device, and measured once more by
`qemu-img bench`, beside raw and a volume of ours."""

import random
import re
import statistics

import machine
import places
import systems
import target
from machine import agent

ALONE = True
MIB = 96
DISK_US = 100
FIRST, MOST = 4096, 20000   # first writes, of as many blocks; fewer than there are
TURNS = 2               # of dm-ckpt and dm-linear in each repetition
QCOW2 = {'qcow2': 'cluster_size=64k', 'qcow2, subclusters': 'cluster_size=128k,extended_l2=on'}
GOALS = {'no checkpoint': {'4 KiB random read': .98, '4 KiB random write': .98,
                           '1 MiB read': .97, '1 MiB write': .97},
         'steady': {'4 KiB random read': .95, '4 KiB random write': .95,
                    '1 MiB read': .97, '1 MiB write': .97},
         'first touch': {'4 KiB random write': .90, 'random write, most blocks': .90}}
# First writes, to those of others.
TIMES = {'dm-thin': 5, 'dm-thin, no zeroing': 5, 'dm-snapshot 4k': 5, 'dm-snapshot 64k': 5,
         'qcow2, subclusters': 1.5}


def cases(disks, what, seconds, small, found):
    """Of each by its name, by turns."""
    for case, rw, bs in target.CASES[:2] if small else target.CASES:
        for name in random.sample(list(disks), len(disks)):
            found.setdefault((what, case, name), []).append(
                target.fio(disks[name], rw, bs, MIB, seconds))


def plain(kind, seconds, small, found):
    system = kind()
    cases({system.name: system.create(MIB)}, 'no checkpoint', seconds, small, found)
    machine.clean()


def first_touch(system, case, number, found):
    found.setdefault(('first touch', case, system.name), []).append(
        target.fio(system.disk, 'randwrite', '4k', MIB, number=number))


def checkpointed(kind, seconds, small, found):
    system = kind()
    system.disk = system.create(MIB)
    if hasattr(system, 'checkpoint'):
        system.checkpoint(0)
    first_touch(system, '4 KiB random write', FIRST, found)
    machine.fill(system.disk, 0, MIB << 20)
    cases({system.name: system.disk}, 'steady', seconds, small, found)
    machine.clean()


def ours(kind, seconds, small, found):
    """And dm-linear, by turns."""
    both = [kind(), systems.Linear()]
    ckpt = both[0]
    for system in both:
        system.disk = system.create(MIB)
    for i in range(2 * TURNS):
        ckpt.checkpoint(i)
        case = ('random write, most blocks', MOST) if i % 2 else ('4 KiB random write', FIRST)
        for system in random.sample(both, 2):
            first_touch(system, *case, found)
    places.mark(ckpt.disk, MIB)
    disks = {system.name: system.disk for system in both}
    disks[places.NAME] = places.linear(ckpt.disk, MIB, systems.STORE)
    machine.write_back()
    for _ in range(TURNS):
        cases(disks, 'steady', seconds, small, found)
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


def report(bench, where, found, linear, peers):
    """Ratios to @linear; and what is dm-ckpt's, to the best of @peers as well."""
    for (what, case, name), values in sorted(found.items()):
        base = found.get((what, case, linear))
        if base and len(base) != len(values):       # not by turns
            base = [statistics.median(base)] * len(values)
        ours = name == 'dm-ckpt'
        goal = GOALS.get(what, {}).get(case) if ours and linear == 'dm-linear' else None
        metric = '%s%s, %s' % (where, what, case)
        row = bench.add(name, metric, 'I/O/s', values, base, linear, goal)
        best = [statistics.median(found[what, case, p]) for p in peers
                if (what, case, p) in found]
        if ours and best:
            row['ratio_to_best'] = statistics.median(values) / max(best)
        if ours and (what, case, places.NAME) in found:
            bench.add(name, metric, 'I/O/s', values, found[what, case, places.NAME], 'same places')
        for peer in peers if ours and what == 'first touch' else []:
            if peer in TIMES and (what, case, peer) in found:
                bench.add(name, metric, 'I/O/s', values,
                          [statistics.median(found[what, case, peer])] * len(values), peer,
                          TIMES[peer])


def measure(bench, where, peers, small, repeat):
    """@small: no transfers of 1 MiB.  If quick, peers are measured once, and without those."""
    seconds = .5 if bench.quick else 1.5
    found = {}
    todo = [(plain, kind, small) for kind in systems.PLAIN] + [(ours, systems.Ckpt, small)]
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
    if not bench.quick:
        with machine.null_disks(2, 512, irqmode=2, completion_nsec=DISK_US * 1000) as disks, \
                systems.on(*disks):
            measure(bench, 'modelled disk: ', [systems.Thin], True, 2)
