# SPDX-License-Identifier: GPL-2.0-only
"""Deleting all checkpoints of a volume, of which each has a random tenth of the blocks: until
nothing is left to merge, and for one with an origin until it passes straight through again.  In
the machine that counts: a nanosecond is an instruction."""

import machine
import systems

COUNTING = True
MIB = 16


def delete(disk, number):
    """Take so many, and delete them; in ms: the messages, and all that follows."""
    for i in range(number):
        machine.checkpoint('c%d' % i, 'disk')
        machine.scatter(disk, [b << 12 for b in range(i % 10, MIB << 8, 10)])
    machine.write_back()
    names = ['disk@c%d' % i for i in range(number)]
    asked = machine.seconds(lambda: [machine.message('delete_checkpoint', n) for n in names])
    took = asked + machine.seconds(machine.wait_for, machine.is_settled)
    return 1000 * asked, 1000 * took


def plain(number):
    machine.store(systems.STORE)
    disk = machine.volume('disk', MIB)
    machine.fill(disk, 0, MIB << 20)
    found = delete(disk, number)
    machine.clean()
    return found


def adopted(number):
    machine.store(systems.STORE)
    agent = machine.agent
    agent.do_create('self-origin', MIB << 11, 'linear', systems.ORIGIN + ' 0')
    disk = machine.volume('disk', origin=machine.DM + 'self-origin')
    found = delete(disk, number)
    machine.wait_for(lambda: agent.do_status('disk').split()[5] == 'passthrough')
    machine.clean()
    return found


def run(bench):
    machine.ram_disks(2, 512)
    for what, how in ('no origin', plain), ('into the origin', adopted):
        for number in (1, 16) if bench.quick else (1, 16, 256):
            asked, took = zip(*(how(number) for _ in range(1 if bench.quick else 3)))
            bench.add('dm-ckpt', '%d, %s: messages' % (number, what), 'ms', asked)
            bench.add('dm-ckpt', '%d, %s: all' % (number, what), 'ms', took)
