#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: traced.py DIRECTORY NUMBER

What tests/bench/profile has traced, in a machine that counts: NUMBER transfers of each situation.
DIRECTORY is shared with it: NAME.ready is made when the transfers of NAME are about to begin, they
do when it is gone, and NAME.done is made behind them, and waited for in the same way."""

import os
import shutil
import sys

sys.dont_write_bytecode = True

import counting     # noqa: E402
import machine      # noqa: E402
import systems      # noqa: E402


def told(name):
    path = os.path.join(sys.argv[1], name)
    # In one step, as it goes as soon as it is seen.
    open(path + '.new', 'w').close()
    os.rename(path + '.new', path)
    machine.wait_for(lambda: not os.path.exists(path), 1, 100000)


def traced(name, disk, direction, seed):
    # Once more before, so that all that is needed is in memory.
    counting.transfers(disk, direction, int(sys.argv[2]), 1, seed)
    told(name + '.ready')
    counting.transfers(disk, direction, int(sys.argv[2]), 1, seed + 1)
    told(name + '.done')


def both(what, disk):
    for direction in 'read', 'write':
        counting.everything(disk, direction)
        traced('%s-%s' % (what, direction), disk, direction, 1)


def main():
    machine.ram_disks(2, 256)
    both('linear', systems.Linear().create(counting.MIB))
    machine.clean()
    both('no-checkpoint', systems.CkptThrough().create(counting.MIB))
    machine.clean()
    system = systems.Ckpt()
    disk = system.create(counting.MIB)
    system.checkpoint(0)
    traced('first-touch-write', disk, 'write', 3)
    both('steady', disk)
    shutil.copyfile('/proc/kallsyms', os.path.join(sys.argv[1], 'kallsyms'))
    machine.clean()


main()
