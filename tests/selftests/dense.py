#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: dense.py STORE SEED ROUNDS DEVICE...

Each round fills a store until nothing fits any more, through its volumes at those devices, with
clusters of random blocks, as many in each as the round has it; takes checkpoints meanwhile, and
discards, which leaves holes; and then deletes checkpoints in any order.  All of their layers must
be merged, and each block that was written be what was written last.
"""

import errno
import os
import random
import subprocess
import sys
import time

from blk import Device, data

BLOCK = 4096
CLUSTER = 32
# How many blocks of a cluster a round writes at once.
ROUNDS = (16, 28), (1, 4), (20, 24), (8, 16), (1, 32)
# Writes that find no space before a round has had enough.
ENOUGH = 30
LIMIT = 60


def fail(what):
    print('FAILED: ' + what)
    sys.exit(1)


class Volume:
    def __init__(self, path):
        self.name = os.path.basename(path)
        self.device = Device(path)
        self.clusters = self.device.size // BLOCK // CLUSTER
        self.written = {}

    def write(self, block, seed):
        """False: there is no space for it."""
        try:
            self.device.write(block * BLOCK, data(seed, block * BLOCK, BLOCK))
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise
            return False
        self.written[block] = seed
        return True

    def discard(self, block, nr):
        self.device.discard(block * BLOCK, nr * BLOCK)
        for i in range(block, block + nr):
            self.written.pop(i, None)

    def check(self):
        for block, seed in self.written.items():
            if self.device.read(block * BLOCK, BLOCK) != data(seed, block * BLOCK, BLOCK):
                fail('%s: block %d is not what was written' % (self.name, block))


class Store:
    def __init__(self, name, seed, paths):
        self.name = name
        self.random = random.Random(seed)
        self.volumes = [Volume(path) for path in paths]
        self.checkpoints = []
        self.seed = self.taken = 0

    def message(self, *words):
        done = subprocess.run(('dmsetup', 'message', self.name, '0') + words,
                              capture_output=True, text=True)
        return done.returncode == 0

    def status(self):
        return subprocess.run(('dmsetup', 'status', self.name), capture_output=True, text=True,
                              check=True).stdout.split()

    def take(self, volume):
        self.taken += 1
        # That there is no space for it either is right.
        if self.message('checkpoint', 'c%d' % self.taken, 'standard', volume.name):
            self.checkpoints.append('%s@c%d' % (volume.name, self.taken))

    def make_holes(self):
        for _ in range(self.random.randrange(self.volumes[0].clusters)):
            volume = self.random.choice(self.volumes)
            first = self.random.randrange(CLUSTER)
            volume.discard(self.random.randrange(volume.clusters) * CLUSTER + first,
                           self.random.randint(1, CLUSTER - first))

    def write_cluster(self, volume, nr):
        cluster = self.random.randrange(volume.clusters)
        self.seed += 1
        return all(volume.write(cluster * CLUSTER + i, self.seed)
                   for i in self.random.sample(range(CLUSTER), nr))

    def fill(self, least, most):
        every = self.volumes[0].clusters // self.random.choice((2, 6, 12))
        failures = writes = 0
        while failures < ENOUGH:
            volume = self.random.choice(self.volumes)
            failures += not self.write_cluster(volume, self.random.randint(least, most))
            writes += 1
            if writes % every == 0:
                self.take(volume)

    def delete_some(self):
        self.random.shuffle(self.checkpoints)
        nr = self.random.randint(1, len(self.checkpoints) * 2 // 3 + 1)
        for name in self.checkpoints[:nr]:
            if not self.message('delete_checkpoint', name):
                fail('%s cannot be deleted' % name)
        del self.checkpoints[:nr]
        return nr

    def settle(self):
        start = time.monotonic()
        while 'idle' not in self.status():
            if time.monotonic() > start + LIMIT:
                fail('merges do not end: ' + ' '.join(self.status()))
            time.sleep(0.1)
        return time.monotonic() - start

    def round(self, number):
        if number % 2:
            self.make_holes()
        self.fill(*ROUNDS[number % len(ROUNDS)])
        full = self.status()[7]
        deleted = self.delete_some()
        print('# %s units in use, %d checkpoints; %d more are gone after %.1f s' %
              (full, len(self.checkpoints), deleted, self.settle()))


store = Store(sys.argv[1], int(sys.argv[2]), sys.argv[4:])
for number in range(int(sys.argv[3])):
    store.round(number)
for volume in store.volumes:
    volume.check()
