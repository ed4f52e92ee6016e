# SPDX-License-Identifier: GPL-2.0-only
"""What scenarios are made of: devices on memory, stores and volumes, peers, time."""

import contextlib
import itertools
import mmap
import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../selftests'))

import agent        # noqa: E402

MIB = 1 << 20
DM = '/dev/mapper/'
STORE = 'bench-store'

# Words of a store's status, as Documentation/admin-guide/device-mapper/dm-ckpt.rst has them.
FIELDS = {'mode': 1, 'used': 4, 'reserved': 5, 'journal': 6, 'cached': 8, 'commits': 9,
          'layers': 13, 'freeing': 15, 'moved': 16, 'copied': 17,
          'freed': 18, 'merge': 19, 'left': 22}


def run(*words, check=True):
    return subprocess.run(words, check=check, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout


def seconds(what, *args):
    """How long the call takes."""
    begun = time.monotonic()
    what(*args)
    return time.monotonic() - begun


# ---- devices on memory ----

def ram_disks(nr, mib, filled=True):
    """That many of that size.  All their memory is there afterwards, so that no first write of a
    page is measured; unless that does not matter, and would be too much."""
    run('modprobe', '-r', 'brd')
    run('modprobe', 'brd', 'rd_nr=%d' % nr, 'rd_size=%d' % (mib << 10))
    disks = ['/dev/ram%d' % i for i in range(nr)]
    for disk in disks if filled else []:
        fill(disk, 0, mib * MIB)
    return disks


@contextlib.contextmanager
def loop(mib):
    """A loop device on memory, while it is needed."""
    run('modprobe', 'loop')
    path = '/dev/shm/bench-loop'
    device = agent.do_loop(path, mib)
    try:
        fill(device, 0, mib * MIB)
        yield device
    finally:
        clean()
        agent.do_unloop(device)
        os.unlink(path)


@contextlib.contextmanager
def null_disks(nr, mib, **settings):
    """That many null_blk disks on memory, with what else the driver can set, while needed."""
    config = '/sys/kernel/config'
    run('modprobe', 'configfs')
    run('modprobe', 'null_blk', 'nr_devices=0')
    if not os.path.ismount(config):
        run('mount', '-t', 'configfs', 'none', config)
    paths = ['%s/nullb/bench%d' % (config, i) for i in range(nr)]
    for path in paths:
        os.mkdir(path)
        for key, value in dict(memory_backed=1, size=mib, **settings, power=1).items():
            with open('%s/%s' % (path, key), 'w') as f:
                f.write(str(value))
    disks = ['/dev/bench%d' % i for i in range(nr)]
    try:
        for disk in disks:
            fill(disk, 0, mib * MIB)
        yield disks
    finally:
        clean()
        for path in paths:
            os.rmdir(path)


exported = []


def export(path, form):
    """A block device of an image, by QEMU: until clean(), or the next one."""
    unexport()
    run('modprobe', 'nbd', 'nbds_max=1')
    device = '/dev/nbd0'
    with subprocess.Popen(['qemu-nbd', '--connect', device, '--format', form, '--cache', 'none',
                           '--aio', 'native', path], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL) as p:
        if p.wait():
            raise OSError('qemu-nbd cannot export ' + path)
    exported.append(device)
    wait_for(lambda: sectors_of(device), 0.01)
    return device


def unexport():
    while exported:
        device = exported.pop()
        run('qemu-nbd', '--disconnect', device)
        wait_for(lambda d=device: not sectors_of(d), 0.01)


@contextlib.contextmanager
def one_cpu():
    """An emulated CPU takes milliseconds to interrupt another, which a wake-up does.  So a latency
    that is not to be that of the emulator is measured on one."""
    path = '/sys/devices/system/cpu/cpu1/online'
    online = os.path.exists(path)
    if online:
        with open(path, 'w') as f:
            f.write('0')
    try:
        yield
    finally:
        if online:
            with open(path, 'w') as f:
                f.write('1')


def fill(path, offset, length, part=MIB, byte=b'\xa5'):
    """Write all of it, front to back."""
    content = mmap.mmap(-1, part)
    content.write(byte * part)
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    for at in range(offset, offset + length, part):
        if os.pwrite(fd, content, at) != part:
            raise OSError('short write to %s' % path)
    os.close(fd)


OWN = struct.Struct('<8sQ')
numbers = itertools.count()


def own_content():
    """For the front of a block that is to be told from all others: see places.py."""
    return OWN.pack(b'dm-ckpt\0', next(numbers))


def scatter(path, offsets, length=4096):
    """Write so many bytes at each of the offsets, each with a content of its own."""
    content = mmap.mmap(-1, length)
    content.write(b'\x5a' * length)
    fd = os.open(path, os.O_RDWR | os.O_DIRECT)
    for at in offsets:
        content[:OWN.size] = own_content()
        if os.pwrite(fd, content, at) != length:
            raise OSError('short write to %s' % path)
    os.close(fd)


def read(path, offset, length=4096):
    content = mmap.mmap(-1, length)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    if os.preadv(fd, [content], offset) != length:
        raise OSError('short read of %s' % path)
    os.close(fd)


def scan(path, mib):
    """Read so many MiB, front to back; in MiB/s."""
    content = mmap.mmap(-1, MIB)
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    begun = time.monotonic()
    for at in range(0, mib * MIB, MIB):
        if os.preadv(fd, [content], at) != MIB:
            raise OSError('short read of %s' % path)
    took = time.monotonic() - begun
    os.close(fd)
    return mib / took


def flush(path):
    fd = os.open(path, os.O_RDWR)
    os.fsync(fd)
    os.close(fd)


# ---- stores and volumes ----

def sectors_of(disk):
    with open('/sys/class/block/%s/size' % os.path.basename(os.path.realpath(disk))) as f:
        return int(f.read())


def statistics_of(disk):
    with open('/sys/class/block/%s/stat' % os.path.basename(os.path.realpath(disk))) as f:
        return [int(word) for word in f.read().split()]


def flushes_of(disk):
    """How many it has completed, of those that the block layer has gathered for it."""
    return statistics_of(disk)[15]


def writes_of(disk):
    """How many it has completed."""
    return statistics_of(disk)[4]


def sectors_written(disk):
    return statistics_of(disk)[6]


def store(disk, *features):
    """A new one on all of the disk, whatever was there."""
    fill(disk, 0, 2 * MIB)      # both superblocks
    words = ['format', *features]
    agent.do_create(STORE, sectors_of(disk), 'ckpt-store',
                    '%s %d %s' % (disk, len(words), ' '.join(words)))


def activate(disk, *names, mib):
    """The store that is there, and volumes of that size that have no origin."""
    agent.do_create(STORE, sectors_of(disk), 'ckpt-store', disk)
    for name in names:
        agent.do_create(name, mib * 2048, 'ckpt', '%s%s %s' % (DM, STORE, name))
    return DM + names[0]


def message(*words):
    return agent.do_message(STORE, *words)


def volume(name, mib=None, origin=None):
    """A new and active one of that size, or with all of the origin."""
    sectors = sectors_of(origin) if origin else mib * 2048
    message('adopt_volume' if origin else 'create_volume', name, str(sectors))
    agent.do_create(name, sectors, 'ckpt', '%s%s %s %s' % (DM, STORE, name, origin or '-'))
    return DM + name


def checkpoint(name, *volumes):
    message('checkpoint', name, 'standard', *volumes)


def status(field):
    word = agent.do_status(STORE).split()[3:][FIELDS[field]]
    return int(word) if word.isdigit() else word


def both(field):
    """What there is, and of how much."""
    return [int(word) for word in status(field).split('/')]


def part(field):
    return both(field)[0]


def wait_for(what, step=0.002, limit=300):
    """Look seldom: the machine has other things to do."""
    end = time.monotonic() + limit
    while not what():
        if time.monotonic() > end:
            raise TimeoutError('the store: ' + agent.do_status(STORE))
        time.sleep(step)


def is_settled():
    return status('merge') == 'idle' and not status('freeing')


def delete(*checkpoints):
    """Take the checkpoints away, and let what follows from that wait for merge()."""
    message('merge', 'pause')
    message('delete_checkpoint', *checkpoints)
    message('commit')
    wait_for(lambda: status('merge') == 'paused')


def write_back():
    """What was written before is not to be written while something is measured."""
    agent.do_suspend(STORE)
    agent.do_resume(STORE)
    wait_for(lambda: status('merge') in ('paused', 'idle'))


def merge(step=0.002):
    """Let it merge all there is; in seconds."""
    begun = time.monotonic()
    message('merge', 'resume')
    wait_for(is_settled, step)
    return time.monotonic() - begun


def clean():
    unexport()
    agent.do_clean()
