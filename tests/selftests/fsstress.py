#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: fsstress.py run FOLDER STOP-FILE LIST SEED
       fsstress.py check FOLDER LIST COUNT

run: all that a file system does, at random, until STOP-FILE is there.  Some files are written once
and synced, with their folder; then they are added to LIST.

check: the first COUNT files of LIST are there, with what was written.
"""

import errno
import os
import random
import sys

import blk

MOST = 40               # files of a folder that come and go
KEPT = 1500


def sync(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


class Stress:
    def __init__(self, folder, said, seed):
        self.folder = folder
        self.said = open(said, 'a')
        self.random = random.Random(seed)
        self.kept = 0
        for d in ('kept', 'a', 'b', 'a/deep'):
            os.makedirs(os.path.join(folder, d), exist_ok=True)

    def any(self):
        return os.path.join(self.folder, self.random.choice(('a', 'b', 'a/deep')),
                            'f%d' % self.random.randrange(MOST))

    def keep(self):
        if self.kept == KEPT:
            return
        self.kept += 1
        length = self.random.randrange(1, 65536)
        path = os.path.join(self.folder, 'kept', str(self.kept))
        with open(path, 'wb') as f:
            f.write(blk.data(self.kept, 0, length))
            f.flush()
            os.fsync(f.fileno())
        sync(os.path.dirname(path))
        self.said.write('%d %d\n' % (self.kept, length))
        self.said.flush()

    def write(self):
        fd = os.open(self.any(), os.O_RDWR | os.O_CREAT, 0o644)
        os.pwrite(fd, blk.data(1, 0, self.random.randrange(1, 20000)),
                  self.random.choice((0, os.fstat(fd).st_size, self.random.randrange(1 << 18))))
        os.close(fd)

    def truncate(self):
        os.truncate(self.any(), self.random.randrange(1 << 17))

    def allocate(self):
        fd = os.open(self.any(), os.O_RDWR | os.O_CREAT, 0o644)
        os.posix_fallocate(fd, self.random.randrange(1 << 16), 1 + self.random.randrange(1 << 16))
        os.close(fd)

    def rename(self):
        os.rename(self.any(), self.any())

    def link(self):
        os.link(self.any(), self.any())

    def symlink(self):
        os.symlink(self.any(), self.any())

    def unlink(self):
        os.unlink(self.any())

    def folders(self):
        path = self.any() + 'd'
        if os.path.isdir(path):
            os.rmdir(path)
        else:
            os.mkdir(path)

    def attribute(self):
        os.setxattr(self.any(), 'user.test', blk.data(2, 0, self.random.randrange(1, 500)))

    def sync(self):
        sync(self.any())

    def step(self):
        what = self.random.choice((self.keep, self.write, self.write, self.write, self.truncate,
                                   self.allocate, self.rename, self.link, self.symlink, self.unlink,
                                   self.unlink, self.folders, self.attribute, self.sync))
        try:
            what()
        except OSError as e:
            # There is none, or already one, or a link that leads nowhere.
            if e.errno not in (errno.ENOENT, errno.EEXIST, errno.ELOOP):
                raise


def check(folder, said, count):
    with open(said) as f:
        lines = [line.split() for line in f][:count]
    for number, length in lines:
        with open(os.path.join(folder, 'kept', number), 'rb') as f:
            if f.read() != blk.data(int(number), 0, int(length)):
                sys.exit('file %s does not have what was written and synced' % number)


def main():
    if sys.argv[1] == 'check':
        return check(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    folder, stop, said, seed = sys.argv[2:]
    stress = Stress(folder, said, seed)
    while not os.path.exists(stop):
        stress.step()
    return None


if __name__ == '__main__':
    main()
