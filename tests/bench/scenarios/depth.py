# SPDX-License-Identifier: GPL-2.0-only
"""Reads through 1, 64 and 256 layers of which each holds a random tenth of the blocks: cold, when the
store has just been opened, with nothing of it in memory, and warm.  Warm ones by turns, as each depth
has a volume of its own, and beside them dm-linear over the very places at which that one's blocks
stand: the deeper, the further apart these are."""

import random

import machine
import places
import systems
import target
from machine import agent

ALONE = True
MIB = 8
DEPTHS = 1, 64, 256
GOAL = .97              # of what depth 1 has
COLD_GOAL = .8          # of what a warm scan has


def name(depth):
    return 'depth-%d' % depth


def make(depths):
    """A volume for each, in one store."""
    machine.store(systems.STORE)
    for depth in depths:
        system = systems.Ckpt()
        places.mark(system.create_in_store(MIB, name(depth)), MIB)
        system.layers(0, depth, MIB)


def cold_reads(depth, found):
    """Of a store that has just been opened, and the same when all is in memory: random ones, and
    front to back."""
    number = (MIB << 8) // 4
    machine.clean()
    disk = machine.activate(systems.STORE, name(depth), mib=MIB)
    for what in 'cold random read', 'random read of as many':
        found.setdefault((depth, what), []).append(
            target.fio(disk, 'randread', '4k', MIB, number=number))
    machine.clean()
    machine.activate(systems.STORE, name(depth), mib=MIB)
    for what in 'cold scan', 'scan':
        found.setdefault((depth, what), []).append(machine.scan(disk, MIB))


def warm_reads(depths, seconds, repeat, found):
    machine.clean()
    machine.activate(systems.STORE, *map(name, depths), mib=MIB)
    todo = []
    for depth in depths:
        disk = machine.DM + name(depth)
        todo += [((depth, 'random read'), disk),
                 ((depth, places.NAME), places.linear(disk, MIB, systems.STORE))]
    for _ in range(repeat):
        for what, disk in random.sample(todo, len(todo)):
            found.setdefault(what, []).append(target.fio(disk, 'randread', '4k', MIB, seconds))


def of_linear(found, depth):
    return [a / b for a, b in zip(found[depth, 'random read'], found[depth, places.NAME])]


def report(bench, depths, found, linear):
    for depth in depths:
        def add(what, unit, *peer, depth=depth):
            bench.add('dm-ckpt', 'depth %d, %s' % (depth, what), unit, found[depth, what], *peer)
        add('random read', 'I/O/s', found[1, 'random read'], 'depth 1', GOAL)
        bench.add(places.NAME, 'depth %d, random read' % depth, 'I/O/s',
                  found[depth, places.NAME], found[1, places.NAME], 'depth 1')
        bench.add('dm-ckpt', 'depth %d, of dm-linear\'s' % depth, 'as much',
                  of_linear(found, depth), of_linear(found, 1), 'depth 1', GOAL)
        add('cold random read', 'I/O/s', found[depth, 'random read of as many'], 'warm')
        add('cold scan', 'MiB/s', found[depth, 'scan'], 'warm', COLD_GOAL)
        add('scan', 'MiB/s', linear, 'dm-linear')


def run(bench):
    depths, seconds, repeat = (DEPTHS[:2], .5, 4) if bench.quick else (DEPTHS, 1, 10)
    cold = 1 if bench.quick else bench.repeat
    machine.ram_disks(2, 512)
    disk = systems.Linear().create(MIB)
    linear = [machine.scan(disk, MIB) for _ in range(cold)]
    machine.clean()
    found = {}
    make(depths)
    for _ in range(cold):
        for depth in depths:
            cold_reads(depth, found)
    warm_reads(depths, seconds, repeat, found)
    report(bench, depths, found, linear)
