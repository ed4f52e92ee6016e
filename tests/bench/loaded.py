#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: loaded.py DIRECTORY [SITUATION]...

The loads that tests/bench/samples looks at, in a machine with two CPUs.  DIRECTORY is shared with
it: NAME.ready is made when the load of NAME is under way, which goes on until that is gone."""

import os
import shutil
import sys
import time

sys.dont_write_bytecode = True

import machine      # noqa: E402
import systems      # noqa: E402
import target       # noqa: E402

MIB = 64
FIRST_MIB = 512     # of first writes, for each job: some ten seconds
SECONDS = 600       # more than it takes


def linear():
    disk = systems.Linear().create(MIB)
    return [disk], MIB


def one():
    """One volume, and all of it written since its checkpoint."""
    system = systems.Ckpt()
    disk = system.create(MIB)
    system.checkpoint(0)
    machine.fill(disk, 0, MIB << 20)
    return [disk], MIB


def each():
    disks = []
    machine.store(systems.STORE)
    for name in 'disk0', 'disk1':
        disks.append(machine.volume(name, MIB))
        machine.fill(disks[-1], 0, MIB << 20)
        machine.checkpoint('c', name)
        machine.fill(disks[-1], 0, MIB << 20)
    return disks, MIB


def first():
    """One volume, a half of it for each job; nothing is written since its checkpoint."""
    machine.store(systems.STORE)
    disk = machine.volume('disk', 2 * FIRST_MIB)
    machine.checkpoint('c', 'disk')
    return [disk], FIRST_MIB


def first_each():
    machine.store(systems.STORE)
    disks = [machine.volume(name, FIRST_MIB) for name in ('disk0', 'disk1')]
    machine.checkpoint('c', 'disk0', 'disk1')
    return disks, FIRST_MIB


SITUATIONS = {
    'linear-read': (linear, 'randread'), 'linear-write': (linear, 'randwrite'),
    'read': (one, 'randread'), 'overwrite': (one, 'randwrite'),
    'each-read': (each, 'randread'), 'each-overwrite': (each, 'randwrite'),
    'first': (first, 'randwrite'), 'first-each': (first_each, 'randwrite')}


def jobs(disks, rw, mib, once):
    how = {'number': mib << 8} if once else {'seconds': SECONDS}
    return [target.start(disks[i % len(disks)], rw, '4k', mib,
                         offset=0 if len(disks) > 1 or not once else i * mib, **how)
            for i in (0, 1)]


def told(name):
    path = os.path.join(sys.argv[1], name)
    # In one step, as it goes as soon as it is seen.
    open(path + '.new', 'w').close()
    os.rename(path + '.new', path)
    machine.wait_for(lambda: not os.path.exists(path), 0.2, SECONDS)


def load(name):
    make, rw = SITUATIONS[name]
    disks, mib = make()
    running = jobs(disks, rw, mib, name.startswith('first'))
    done = (lambda: machine.statistics_of(disks[-1])[0 if rw == 'randread' else 4])
    before = done()
    machine.wait_for(lambda: done() > before + 1000, 0.2)
    time.sleep(0.2 if name.startswith('first') else 1)
    told(name + '.ready')
    ended = [job.poll() is not None for job in running]
    for job in running:
        job.terminate()
        job.communicate()
    if any(ended):
        raise OSError(name + ': it was over too early')
    machine.clean()


def main():
    machine.ram_disks(2, 1280)
    shutil.copyfile('/proc/kallsyms', os.path.join(sys.argv[1], 'kallsyms'))
    for name in sys.argv[2:] or SITUATIONS:
        load(name)


main()
