# SPDX-License-Identifier: GPL-2.0-only
"""Checkpoints of a guest that runs: how long it stands still, with 64 MiB to 1 GiB of memory, 1 to
8 disks, or a large one; how fast its memory is written and how small it gets; what that costs the guest;
and how long it takes to have it back.  Half of its memory is what programs are made of, the rest
zeros.  QEMU emulates a processor within an emulated one here, so that only ratios say something."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import machine

MEMORY = 64, 256, 1024
DISKS = 1, 4, 8
NAMES = tuple('disk%d' % i for i in range(max(DISKS)))
LARGE = 'large'                 # of 1 TiB, the others of 4 MiB
OWN_MS = 10
VM = 'bench'


def ctl(*words):
    return subprocess.run(('ckptctl', '--quiet') + words, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def payload(path, mib):
    """So many MiB of the programs of this machine."""
    left = mib * machine.MIB
    with open(path, 'wb') as to:
        for name in sorted(os.listdir('/usr/bin')) * 100:
            with contextlib.suppress(OSError), open('/usr/bin/' + name, 'rb') as f:
                left -= to.write(f.read(left))
            if not left:
                return


class Guest:
    """The boot sector of tests/vm, which counts and says every 256th number."""

    def __init__(self, folder, mib, names):
        self.serial = os.path.join(folder, 'serial')
        data = os.path.join(folder, 'data')
        payload(data, mib // 2)
        ctl('vm', 'add', VM, *names, '--args',
            '-nodefaults -display none -m %d -serial file:%s '
            '-device loader,file=%s,addr=0x200000,force-raw=on' % (mib, self.serial, data))
        ctl('vm', 'start', VM)
        self.rate(1)

    def lines(self):
        with contextlib.suppress(FileNotFoundError), open(self.serial, 'rb') as f:
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

    def checkpoint(self, name):
        """What it says of it, the seconds it took, and how fast the guest was meanwhile."""
        begun, before = time.monotonic(), self.lines()
        said = json.loads(ctl('--json', 'vm', 'checkpoint', VM, name))
        took = time.monotonic() - begun
        return said, took, (self.lines() - before) / took

    def end(self):
        ctl('vm', 'stop', '--yes', '--now', VM)
        for c in json.loads(ctl('--json', 'vm', 'tree', VM))['checkpoints']:
            ctl('vm', 'delete', '--yes', VM, c['name'])
        ctl('vm', 'remove', VM)


@contextlib.contextmanager
def daemon(disk):
    """A store with volumes, and a ckptd for it."""
    folder = tempfile.mkdtemp(dir='/dev/shm')
    for name in 'CONF', 'STATE', 'RUN':
        os.environ['CKPT_%sDIR' % name] = os.path.join(folder, name.lower())
    os.environ.pop('CKPT_STORE', None)
    ctl('store', 'create', '--yes', '--name', machine.STORE, disk)
    for name in NAMES + (LARGE,):
        ctl('volume', 'create', '--open', name, '1T' if name == LARGE else '4M')
        machine.run('dd', 'if=build/tests/vm/guest.img', 'bs=1M', 'oflag=direct',
                    'of=%s%s-%s' % (machine.DM, machine.STORE, name))
    process = subprocess.Popen(['ckptd'], stderr=subprocess.DEVNULL)
    try:
        while subprocess.run(['ckptctl', 'vm', 'list'], stdout=subprocess.DEVNULL, check=False,
                             stderr=subprocess.DEVNULL).returncode and process.poll() is None:
            time.sleep(0.05)
        yield folder
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            ctl('vm', 'stop', '--yes', '--now', VM)
        process.terminate()
        process.wait()
        machine.clean()
        shutil.rmtree(folder)


def measure(bench, folder, mib, names):
    """Of all repetitions: still and own part in ms, MiB/s, bytes of an image for a byte of memory
    that is no zero, speed of the guest meanwhile, seconds to have it back."""
    guest = Guest(folder, mib, names)
    rows = []
    for i in range(1 if bench.quick else bench.repeat):
        before = guest.rate(2)
        said, took, meanwhile = guest.checkpoint('c%d' % i)
        begun = time.monotonic()
        ctl('vm', 'apply', '--yes', VM, 'c%d' % i)
        guest.rate(1)
        rows.append((int(said['standstill_us']) / 1000, int(said['own_us']) / 1000,
                     mib / 2 / took, int(said['memory_bytes']) / (mib / 2 * machine.MIB),
                     meanwhile / before, time.monotonic() - begun))
    guest.end()
    return list(zip(*rows))


def stands_still(bench, what, found, first, peer, goal=None):
    still, own = found[:2]
    bench.add('ckptd', what + ', standstill', 'ms', still, first[0], peer, goal)
    row = bench.add('ckptd', what + ', of that ours', 'ms', own)
    row.update(goal='<= %d ms' % OWN_MS, met=row['value'] <= OWN_MS)


def run(bench):
    disk, = machine.ram_disks(1, 64)
    with daemon(disk) as folder:
        first = None
        for mib in MEMORY[:2] if bench.quick else MEMORY:
            found = measure(bench, folder, mib, NAMES[:1])
            first = first or found
            what = '%d MiB' % mib
            # It is to depend neither on the memory nor on the size of the disks.
            stands_still(bench, what, found, first, '%d MiB' % MEMORY[0], -1.5)
            for name, unit, values in zip(
                    ('memory written', 'image for a byte', 'guest meanwhile', 'back again'),
                    ('MiB/s', 'bytes', 'of before', 's'), found[2:]):
                bench.add('ckptd', what + ', ' + name, unit, values)
        if bench.quick:
            return
        stands_still(bench, 'disk of 1 TiB', measure(bench, folder, MEMORY[0], (LARGE,)), first,
                     '4 MiB', -1.5)
        for disks in DISKS[1:]:
            stands_still(bench, '%d disks' % disks,
                         measure(bench, folder, MEMORY[0], NAMES[:disks]), first, '1 disk')
