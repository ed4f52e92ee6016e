# SPDX-License-Identifier: GPL-2.0-only
"""I/O of all sizes to all places of a volume, held against a plain file.

The agent's command is:

io sweep|random|spread|same DEVICE MODEL BLOCK-SECTORS SEED [COUNT]

sweep	writes each combination of some offsets and sizes, at a place of its own,
	within and across blocks, clusters and leaves of the map
random	does everything at random about the same boundaries
spread	does everything at random all over the device, but discards whole blocks only:
	those are zeros, too, where they are passed on to a base that has smaller ones
same	compares only

In the end all of the device is compared, or if it is large, what the model has
data for and some places in between.
"""

import os
import random

from blk import Device, Model, compare, data

SECTOR = 512
CLUSTER = 32            # blocks
LEAF = 256 * CLUSTER
OFFSETS = {1: [0, 1, 31], 8: [0, 1, 4, 7], 128: [0, 1, 127]}
SIZES = {1: [1, 2, 33], 8: [1, 7, 8, 9, 16], 128: [1, 127, 128, 129]}


class Wrong(Exception):
    pass


class Test:
    def __init__(self, command, device, model, block, seed):
        self.device = Device(device, write=command != "same")
        self.model = Model(model)
        self.block = block * SECTOR
        self.sector = self.device.sector()
        self.seed = seed
        self.random = random.Random(seed)
        self.count = 0
        self.wouldblock = 0
        self.nowait = 0
        if self.model.size != self.device.size:
            raise Wrong('the model has %d bytes, the device %d' %
                        (self.model.size, self.device.size))

    def check(self, what, offset, length, around=0):
        """The range, and so much before and behind it, is what it should be."""
        start = max(0, offset - around)
        end = min(self.device.size, offset + length + around)
        at = compare(self.device, self.model, start, end - start)
        if at is not None:
            raise Wrong('%s of %d bytes at %d (operation %d): byte %d is wrong' %
                        (what, length, offset, self.count, at))

    def content(self, offset, length):
        # Each operation has a seed of its own: old data are told from new ones.
        return data(self.seed * 100003 + self.count, offset, length)

    def write(self, offset, length, dsync=False):
        content = self.content(offset, length)
        self.device.write(offset, content, dsync=dsync)
        self.model.write(offset, content)

    def dsync(self, offset, length):
        self.write(offset, length, True)

    def zero(self, offset, length):
        self.device.zero(offset, length)
        self.model.zero(offset, length)

    def discard(self, offset, length):
        """Whole blocks go, and read as zeros; parts of blocks stay what they are."""
        self.device.discard(offset, length)
        first = -(-offset // self.block) * self.block
        end = (offset + length) // self.block * self.block
        if first < end:
            self.model.zero(first, end - first)

    def read(self, offset, length):
        pass

    def nowait_read(self, offset, length):
        self.nowait += 1
        try:
            content = self.device.read(offset, length, os.RWF_NOWAIT)
        except BlockingIOError:
            self.wouldblock += 1
            return
        if content != self.model.read(offset, length):
            raise Wrong('a read with NOWAIT of %d bytes at %d is wrong' % (length, offset))

    def nowait_write(self, offset, length):
        content = self.content(offset, length)
        self.nowait += 1
        try:
            self.device.write(offset, content, os.RWF_NOWAIT)
        except BlockingIOError:
            # Any part of it may have been written, but nothing else.
            self.wouldblock += 1
            old = self.model.read(offset, length)
            have = self.device.read(offset, length)
            for at in range(0, length, self.sector):
                end = at + self.sector
                if have[at:end] not in (old[at:end], content[at:end]):
                    raise Wrong('a write with NOWAIT of %d bytes at %d has left byte %d wrong' %
                                (length, offset, offset + at))
            self.device.write(offset, content)
        self.model.write(offset, content)

    def operate(self, fn, offset, length):
        length = min(length, self.device.size - offset)
        if offset < 0 or length <= 0:
            return
        self.count += 1
        fn(offset, length)
        self.check(fn.__name__, offset, length, 2 * self.sector)

    def check_all(self, what):
        if self.device.size <= 64 << 20:
            self.check(what, 0, self.device.size)
            return
        end = 0
        while end < self.device.size:
            try:
                start = os.lseek(self.model.fd, end, os.SEEK_DATA)
            except OSError:
                start = self.device.size
            # Of a hole, both ends and each eighth MiB.
            for at in {end, *range(end + (4 << 20), start, 8 << 20), start - 65536}:
                if end <= at < start:
                    self.check(what, at, min(65536, start - at))
            if start == self.device.size:
                break
            end = os.lseek(self.model.fd, start, os.SEEK_HOLE)
            self.check(what, start, end - start)

    def boundaries(self):
        cluster = CLUSTER * self.block
        yield from range(cluster, self.device.size, cluster)

    def whole(self, sectors):
        """Of 512 bytes, in bytes, and up to the next of those that the device has."""
        return -(-sectors * SECTOR // self.sector) * self.sector

    def sweep(self):
        block = self.block // SECTOR
        cases = [(self.whole(o), self.whole(s)) for o in OFFSETS[block] for s in SIZES[block]]
        cases = list(dict.fromkeys(cases))
        step = (max(s for _, s in cases) // self.block + 3) * self.block
        kinds = [self.write, self.dsync]
        at = 0
        # In blocks that nobody wrote, if there are that many.
        for i, (offset, length) in enumerate(cases):
            self.operate(kinds[i % 2], at + offset, length)
            at = (at + step) % (self.device.size - step)
        # Across clusters, each case at another boundary if there are enough.
        boundaries = list(self.boundaries())
        for i, (offset, length) in enumerate(cases):
            at = boundaries[i % len(boundaries)]
            self.operate(kinds[i % 2], at - self.block + offset, length)
        # Across a leaf, and at the end of the device.
        leaf = LEAF * self.block
        for offset, length in cases:
            if leaf < self.device.size:
                self.operate(self.write, leaf - self.block + offset, length)
        for offset, length in cases:
            self.operate(self.write, self.device.size - 2 * self.block + offset, length)
        # Discard and zeroes over all of that.
        for i, (offset, length) in enumerate(cases):
            at = boundaries[i % len(boundaries)]
            self.operate([self.zero, self.discard][i % 2], at - self.block + offset, length)
        for base in [CLUSTER * self.block, leaf]:
            if base + CLUSTER * self.block < self.device.size:
                self.operate(self.zero, base - 3 * self.block - self.sector, 5 * self.block)
                self.operate(self.write, base - self.sector, 2 * self.sector)
                self.operate(self.discard, base - 2 * self.block, 4 * self.block)

    def random_operations(self, count):
        kinds = [(self.write, 8), (self.dsync, 2), (self.zero, 3), (self.discard, 3),
                 (self.read, 3), (self.nowait_read, 2), (self.nowait_write, 2)]
        kinds = [k for k, n in kinds for _ in range(n)]
        cluster = CLUSTER * self.block
        centres = [0, cluster, 2 * cluster, LEAF * self.block, self.device.size]
        centres = [c for c in centres if c <= self.device.size]
        for _ in range(count):
            r = self.random
            around = r.choice([4 * self.block, cluster + 2 * self.block])
            offset = r.choice(centres) + r.randrange(-around, around, self.sector)
            length = r.choice([2 * self.block, 2 * self.block, cluster + self.block])
            length = r.randrange(self.sector, length + 1, self.sector)
            if r.random() < 0.3:        # whole blocks are worth a try of their own
                offset -= offset % self.block
                length = -(-length // self.block) * self.block
            if offset < 0 or offset + length > self.device.size:
                continue
            self.operate(r.choice(kinds), offset, length)


    def spread(self, count):
        kinds = [self.write] * 6 + [self.dsync, self.zero, self.discard, self.read,
                                    self.nowait_read, self.nowait_write]
        cluster = CLUSTER * self.block
        for _ in range(count):
            r = self.random
            fn = r.choice(kinds)
            offset = r.randrange(0, self.device.size, self.sector)
            length = r.choice([self.block, 4 * self.block, cluster])
            length = r.randrange(self.sector, length + 1, self.sector)
            if fn == self.discard or r.random() < 0.4:
                offset -= offset % self.block
                length = -(-length // self.block) * self.block
            self.operate(fn, offset, length)


def run(command, device, model, block, seed, count='0'):
    """Returns whether all went well and what there is to say."""
    test = None
    try:
        test = Test(command, device, model, int(block), int(seed))
        if command == 'sweep':
            test.sweep()
        elif command == 'random':
            test.random_operations(int(count))
        elif command == 'spread':
            test.spread(int(count))
        test.check_all(command)
    except Wrong as e:
        return False, str(e)
    except OSError as e:
        return False, 'operation %d: %s' % (test.count if test else 0, e)
    return True, '%d operations, %d of %d would have blocked' % \
        (test.count, test.wouldblock, test.nowait)
