# SPDX-License-Identifier: GPL-2.0-only
"""A layer goes into its child: with data of both in each cluster, where one's blocks must be
copied; with clusters of both in each leaf of the map, where pointers move; and with no leaf that
both have, where the child adopts all of it."""

import machine

CLUSTER = 128 << 10     # of a store with blocks of 4 KiB
LEAF = 256 * CLUSTER
LEAVES = 16


def overlap(disk, half):
    machine.scatter(disk, range(half * (CLUSTER // 2), LEAVES * LEAF, CLUSTER))


def neighbours(disk, half):
    machine.scatter(disk, range(half * CLUSTER, LEAVES * LEAF, 2 * CLUSTER), CLUSTER)


def apart(disk, half):
    machine.fill(disk, half * LEAVES // 2 * LEAF, LEAVES // 2 * LEAF)


def merge(store, write):
    """Units that changed their layer, and in which time; on the way, as a check, how they did."""
    machine.store(store)
    disk = machine.volume('disk', LEAVES * LEAF // machine.MIB)
    machine.checkpoint('a', 'disk')
    write(disk, 0)
    machine.checkpoint('b', 'disk')
    write(disk, 1)
    machine.checkpoint('c', 'disk')
    machine.delete('disk@b')
    before = machine.status('moved') + machine.status('copied')
    took = machine.merge()
    units = machine.status('moved') + machine.status('copied') - before
    machine.clean()
    return units / took


def run(bench):
    store, = machine.ram_disks(1, LEAVES * LEAF // machine.MIB + 128)
    for name, write in ('both in each cluster', overlap), \
            ('both in each leaf', neighbours), ('nothing in common', apart):
        rates = [merge(store, write) for _ in range(bench.repeat)]
        bench.add('dm-ckpt', name, 'units/s', rates)
