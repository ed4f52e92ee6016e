# SPDX-License-Identifier: GPL-2.0-only
"""Block devices by direct I/O, and what they should hold.

Data come from a table of random bytes: the same sector written with another
seed gets other bytes, and other sectors get other ones, so that whatever stands
in a wrong place is noticed.  All offsets and lengths are in bytes here.
"""

import errno
import fcntl
import mmap
import os
import random
import struct

BLKDISCARD = 0x1277
BLKZEROOUT = 0x127f
BLKGETSIZE64 = 0x80081272
BLKFLSBUF = 0x1261
BLKSSZGET = 0x1268

CHUNK = 1 << 20
# Not a power of two, so that no two sectors near each other begin at one place of it.
_PERIOD = CHUNK + 4099
_table = random.Random(4711).randbytes(_PERIOD)
_table += _table


def data(seed, offset, length):
    """What a write with this seed puts there."""
    parts = []
    while length:
        part = min(length, _PERIOD)
        at = (seed * 7919 + offset) % _PERIOD
        parts.append(_table[at:at + part])
        offset += part
        length -= part
    return b''.join(parts)


class Device:
    """A block device, or a file that is treated as one."""

    def __init__(self, path, write=True, direct=True):
        flags = os.O_RDWR if write else os.O_RDONLY
        self.path = path
        self.fd = self.sync_fd = None
        self.fd = os.open(path, flags | (os.O_DIRECT if direct else 0))
        self.buffer = mmap.mmap(-1, CHUNK)
        self.view = memoryview(self.buffer)
        self.size = os.lseek(self.fd, 0, os.SEEK_END)

    def close(self):
        for fd in self.fd, self.sync_fd:
            if fd is not None:
                os.close(fd)
        self.fd = self.sync_fd = None

    __del__ = close         # an exception must not leave a device open

    def read(self, offset, length, flags=0):
        parts = []
        while length:
            part = min(length, CHUNK)
            n = os.preadv(self.fd, [self.view[:part]], offset, flags)
            if n != part:
                raise OSError(errno.EAGAIN if flags & os.RWF_NOWAIT else errno.EIO,
                              'short read of %d at %d' % (n, offset))
            parts.append(bytes(self.view[:part]))
            offset += part
            length -= part
        return b''.join(parts)

    def write(self, offset, content, flags=0, dsync=False):
        fd = self.fd
        if dsync:
            if self.sync_fd is None:
                self.sync_fd = os.open(self.path, os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
            fd = self.sync_fd
        done = 0
        while done < len(content):
            part = min(len(content) - done, CHUNK)
            self.view[:part] = content[done:done + part]
            n = os.pwritev(fd, [self.view[:part]], offset + done, flags)
            if n != part:
                raise OSError(errno.EAGAIN if flags & os.RWF_NOWAIT else errno.EIO,
                              'short write of %d at %d' % (n, offset))
            done += part

    def flush(self):
        os.fsync(self.fd)

    def sector(self):
        """Bytes of what it can write at least."""
        size = bytearray(4)
        fcntl.ioctl(self.fd, BLKSSZGET, size)
        return struct.unpack('i', size)[0]

    # With a buffer that could change Python lets other threads run meanwhile, and not with bytes:
    # one of them may have to resume what this waits for.
    def discard(self, offset, length):
        fcntl.ioctl(self.fd, BLKDISCARD, bytearray(struct.pack('QQ', offset, length)))

    def zero(self, offset, length):
        fcntl.ioctl(self.fd, BLKZEROOUT, bytearray(struct.pack('QQ', offset, length)))


class Model:
    """A sparse file that says what a device should hold."""

    def __init__(self, path, size=None):
        self.path = path
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if size is not None:
            os.ftruncate(self.fd, size)
        self.size = os.fstat(self.fd).st_size

    def read(self, offset, length):
        return os.pread(self.fd, length, offset)

    def write(self, offset, content):
        os.pwrite(self.fd, content, offset)

    def zero(self, offset, length):
        os.pwrite(self.fd, bytes(length), offset)


def first_difference(a, b):
    """Offset of the first byte in which two equally long strings differ, or None."""
    if a == b:
        return None
    for at in range(0, len(a), 512):
        if a[at:at + 512] != b[at:at + 512]:
            for i in range(at, at + 512):
                if a[i] != b[i]:
                    return i
    return min(len(a), len(b))


def compare(a, b, offset, length):
    """Offset of the first difference between two of the above, or None."""
    while length:
        part = min(length, CHUNK)
        at = first_difference(a.read(offset, part), b.read(offset, part))
        if at is not None:
            return offset + at
        offset += part
        length -= part
    return None
