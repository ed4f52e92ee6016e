# SPDX-License-Identifier: GPL-2.0-only
"""The systems that are compared. Each is a class with

    name            as it stands in the table
    create(mib)     a device of that size, all of it written once: its path
    checkpoint(i)   a point in time, the i-th, from 0 on, that stays

over the same devices on memory: machine.ram_disks(2, ...) has made them before, the first of that
size. machine.clean() takes all of it away."""

import contextlib
import random

import machine
from machine import DM, agent

ORIGIN, STORE = '/dev/ram0', '/dev/ram1'


@contextlib.contextmanager
def on(origin, store):
    """Over these devices, for as long as it takes."""
    global ORIGIN, STORE
    before = ORIGIN, STORE
    ORIGIN, STORE = origin, store
    try:
        yield
    finally:
        ORIGIN, STORE = before


class Raw:
    name = 'raw device'

    def create(self, mib):
        machine.fill(ORIGIN, 0, mib << 20)
        return ORIGIN


class Linear:
    name = 'dm-linear'

    def create(self, mib):
        machine.fill(ORIGIN, 0, mib << 20)
        agent.do_create('self-linear', mib * 2048, 'linear', ORIGIN + ' 0')
        return DM + 'self-linear'


class Ckpt:
    """A volume without an origin."""
    name = 'dm-ckpt'
    volume = 'disk'

    def create(self, mib):
        machine.store(STORE)
        return self.create_in_store(mib)

    def create_in_store(self, mib, volume=volume):
        """In the one that is there."""
        self.volume = volume
        self.disk = machine.volume(volume, mib)
        machine.fill(self.disk, 0, mib << 20)
        return self.disk

    def checkpoint(self, i):
        machine.checkpoint('c%d' % i, self.volume)

    def rest(self):
        """Until nothing is done in the background."""
        machine.write_back()

    def layers(self, done, depth, mib):
        """From so many layers to so many: each has a random tenth of the blocks."""
        blocks = mib << 8
        for i in range(done, depth):
            self.checkpoint(i)
            machine.scatter(self.disk, [b << 12 for b in random.Random(i).sample(
                range(blocks), blocks // 10)])


class CkptThrough(Ckpt):
    """A volume with an origin: without a checkpoint everything goes straight to that."""

    def create(self, mib):
        machine.store(STORE)
        machine.fill(ORIGIN, 0, mib << 20)
        return machine.volume('disk', origin=ORIGIN)


class Thin:
    name = 'dm-thin'
    features = '0'

    def create(self, mib):
        machine.run('modprobe', 'dm-thin-pool')
        store = machine.sectors_of(STORE)
        meta = 32 * 2048
        machine.fill(STORE, 0, 1 << 20, byte=b'\0')
        agent.do_create('self-thin-meta', meta, 'linear', STORE + ' 0')
        agent.do_create('self-thin-data', store - meta, 'linear', '%s %d' % (STORE, meta))
        # 64 KiB blocks
        agent.do_create('self-thin-pool', store - meta, 'thin-pool',
                        '%sself-thin-meta %sself-thin-data 128 0 %s' % (DM, DM, self.features))
        agent.do_message('self-thin-pool', 'create_thin', '0')
        agent.do_create('self-thin', mib * 2048, 'thin', DM + 'self-thin-pool 0')
        machine.fill(DM + 'self-thin', 0, mib << 20)
        self.disk = DM + 'self-thin'
        return self.disk

    def checkpoint(self, i):
        agent.do_suspend('self-thin')
        agent.do_message('self-thin-pool', 'create_snap', str(i + 1), '0')
        agent.do_resume('self-thin')


class ThinNoZeroing(Thin):
    name = 'dm-thin, no zeroing'
    features = '1 skip_block_zeroing'


class Snapshot:
    """Copies to the snapshot what is written first to its origin."""
    chunk = 8
    name = 'dm-snapshot 4k'

    def create_base(self, mib):
        self.mib = mib
        machine.run('modprobe', 'dm-snapshot')
        machine.fill(ORIGIN, 0, mib << 20)
        agent.do_create('self-base', mib * 2048, 'linear', ORIGIN + ' 0')

    def create(self, mib):
        self.create_base(mib)
        agent.do_create('self-disk', mib * 2048, 'snapshot-origin', DM + 'self-base')
        self.disk = DM + 'self-disk'
        return self.disk

    def checkpoint(self, i):
        part = machine.sectors_of(STORE) // 4
        machine.fill(STORE, i * part * 512, 1 << 20, byte=b'\0')
        agent.do_create('self-cow%d' % i, part, 'linear', '%s %d' % (STORE, i * part))
        agent.do_suspend('self-disk')
        agent.do_create('self-snap%d' % i, self.mib * 2048, 'snapshot',
                        '%sself-base %sself-cow%d P %d' % (DM, DM, i, self.chunk))
        agent.do_resume('self-disk')


class Snapshot64k(Snapshot):
    chunk = 128
    name = 'dm-snapshot 64k'


class SnapshotChain(Snapshot):
    """Each layer is a snapshot of the one below, which nobody writes any more."""
    name = 'dm-snapshot 4k'

    def create(self, mib):
        self.create_base(mib)
        self.top = 'self-base'
        self.names = [self.top]
        self.disk = DM + self.top
        return self.disk

    def checkpoint(self, i):
        part = (self.mib << 11) // 4
        machine.fill(STORE, i * part * 512, 1 << 14, 1 << 14, b'\0')
        agent.do_create('self-cow%d' % i, part, 'linear', '%s %d' % (STORE, i * part))
        top = 'self-layer%d' % i
        agent.do_create(top, self.mib * 2048, 'snapshot',
                        '%s%s %sself-cow%d P %d' % (DM, self.top, DM, i, self.chunk))
        self.top = top
        self.disk = DM + top
        self.names = [top, 'self-cow%d' % i, *self.names]

    def remove(self):
        """From the top down; machine.clean() would try each of them again and again."""
        agent.do_remove(*self.names)


class Qcow2:
    """An overlay of an image, which QEMU exports as a block device."""
    name = 'qcow2, subclusters'
    options = 'cluster_size=128k,extended_l2=on'

    def create(self, mib):
        self.mib = mib
        machine.fill(ORIGIN, 0, mib << 20)
        return machine.export(ORIGIN, 'raw')

    def checkpoint(self, i):
        """The same device goes on with the overlay."""
        machine.unexport()
        machine.run('qemu-img', 'create', '-q', '-f', 'qcow2', '-o', self.options, '-F', 'raw',
                    '-b', ORIGIN, STORE, '%dM' % self.mib)
        machine.export(STORE, 'qcow2')


PLAIN = [Raw, Linear, CkptThrough]
CHECKPOINTED = [Ckpt, Thin, ThinNoZeroing, Snapshot, Snapshot64k]
# A system in QEMU's process: its instructions are not a target's.
EXPORTED = [Qcow2]
