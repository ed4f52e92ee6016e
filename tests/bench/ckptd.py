# SPDX-License-Identifier: GPL-2.0-only
"""A store with volumes, a ckptd, and a guest with some of them as its disks.  QEMU emulates a
processor within an emulated one here, so that only ratios say something."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

import guests
import machine

DISKS = 1, 2, 8
SIZES = {'small': '4M', 'large': '1T'}
VM = 'bench'


def ctl(*words):
    return subprocess.run(('ckptctl', '--quiet') + words, check=True, text=True,
                          stdout=subprocess.PIPE).stdout


def name(size, i):
    """Of that volume of this size."""
    return '%s%d' % (size, i)


class Guest:
    def __init__(self, folder, mib, filled, names):
        data = os.path.join(folder, 'data')
        guests.payload(data, filled)
        self.serial = guests.Serial(os.path.join(folder, 'serial'))
        ctl('vm', 'add', VM, *names, '--args',
            '-nodefaults -display none -m %d -serial file:%s -device %s' %
            (mib, self.serial.path, guests.loader(data)))
        ctl('vm', 'start', VM)
        self.serial.rate(1)

    def checkpoint(self, called):
        """What it says of it."""
        return json.loads(ctl('--json', 'vm', 'checkpoint', VM, called))

    def end(self):
        ctl('vm', 'stop', '--yes', '--now', VM)
        for c in json.loads(ctl('--json', 'vm', 'tree', VM))['checkpoints']:
            ctl('vm', 'delete', '--yes', VM, c['name'])
        ctl('vm', 'remove', VM)


@contextlib.contextmanager
def daemon(disk):
    """A store with volumes, and a ckptd for it."""
    folder = tempfile.mkdtemp(dir='/dev/shm')
    for word in 'CONF', 'STATE', 'RUN':
        os.environ['CKPT_%sDIR' % word] = os.path.join(folder, word.lower())
    os.environ.pop('CKPT_STORE', None)
    ctl('store', 'create', '--yes', '--name', machine.STORE, disk)
    for size, bytes_ in SIZES.items():
        for i in range(max(DISKS)):
            ctl('volume', 'create', '--open', name(size, i), bytes_)
        # It boots from the first.
        machine.run('dd', 'if=build/tests/vm/guest.img', 'bs=1M', 'oflag=direct',
                    'of=%s%s-%s' % (machine.DM, machine.STORE, name(size, 0)))
    process = subprocess.Popen(['ckptd'], stderr=subprocess.DEVNULL)
    try:
        while subprocess.run(['ckptctl', 'vm', 'list'], stdout=subprocess.DEVNULL, check=False,
                             stderr=subprocess.DEVNULL).returncode and process.poll() is None:
            time.sleep(0.05)
        yield folder
    finally:
        # It is there only if something went wrong.
        subprocess.run(['ckptctl', 'vm', 'stop', '--yes', '--now', VM], check=False,
                       stderr=subprocess.DEVNULL)
        process.terminate()
        process.wait()
        machine.clean()
        shutil.rmtree(folder)


def standstill(said):
    """Of an answer: ms, and of that ours."""
    return int(said['standstill_us']) / 1000, int(said['own_us']) / 1000
