# SPDX-License-Identifier: GPL-2.0-only
"""What the scenarios with guests share: the boot sector of tests/vm, which counts and says every
256th number, with memory of which half is what programs are made of, and the rest zeros."""

import contextlib
import os
import time

MEMORY = 64, 256, 1024
MIB = 1 << 20
ADDRESS = 0x200000              # where in its memory that half begins


def payload(path, mib):
    """So many MiB of the programs of this machine."""
    left = mib * MIB
    with open(path, 'wb') as to:
        for name in sorted(os.listdir('/usr/bin')) * 100:
            with contextlib.suppress(OSError), open('/usr/bin/' + name, 'rb') as f:
                left -= to.write(f.read(left))
            if not left:
                return


def loader(path):
    return 'loader,file=%s,addr=%#x,force-raw=on' % (path, ADDRESS)


class Serial:
    """The file that it says its numbers to."""

    def __init__(self, path):
        self.path = path

    def lines(self):
        with contextlib.suppress(FileNotFoundError), open(self.path, 'rb') as f:
            return f.read().count(b'\n')
        return 0

    def rate(self, at_least, seconds=60):
        """Lines a second, over half a second and so many lines."""
        begun, before = time.monotonic(), self.lines()
        while True:
            time.sleep(0.05)
            took, found = time.monotonic() - begun, self.lines() - before
            if (took > 0.5 and found >= at_least) or took > seconds:
                return found / took

    def during(self, what):
        """What that returns, the seconds it takes, and lines a second meanwhile."""
        begun, before = time.monotonic(), self.lines()
        said = what()
        took = time.monotonic() - begun
        return said, took, (self.lines() - before) / took
