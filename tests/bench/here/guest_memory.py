# SPDX-License-Identifier: GPL-2.0-only
"""The memory of a guest that runs, with no machine between it and this one: how long it stands still
for a capture, how fast its memory is written and how small it gets, what that costs the guest, and
how long it takes to have it back.  The guest's processor is emulated, and takes one of this
machine's, while QEMU reads its memory and we compress it."""

import os
import re
import shutil
import sys
import tempfile
import time

import guests

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '../../vm'))

import guest as vm      # noqa: E402


def drive(*words):
    process = vm.driver(*words)
    text = process.communicate()[0]
    if process.returncode:
        raise RuntimeError(text)
    return text


def capture(guest, image):
    """Standstill in ms, MiB/s, bytes of the image for one of memory, and the guest's speed meanwhile."""
    serial = guests.Serial(guest.path('serial'))
    before = serial.rate(2)
    text, took, meanwhile = serial.during(lambda: drive('capture', guest.path('a'), image))
    found = re.match(r'done: way background early 1 standstill (\d+) us', text)
    if not found:
        raise RuntimeError('not in the background: ' + text)
    half = vm.RAM / 2
    return (int(found[1]) / 1000, half / guests.MIB / took, os.path.getsize(image) / half,
            meanwhile / before)


def restore(image):
    """In seconds, from a QEMU that waits for it to a guest that counts."""
    guest = vm.Guest(incoming=True)
    begun = time.monotonic()
    drive('restore', guest.path('a'), image)
    vm.until(guest.serial)
    took = time.monotonic() - begun
    guest.end()
    return took


def measure(repeat, mib, folder):
    image, data = os.path.join(folder, 'image'), os.path.join(folder, 'data')
    guests.payload(data, mib // 2)
    vm.RAM = mib * guests.MIB
    guest = vm.Guest('-device', guests.loader(data))
    vm.until(guest.serial)
    # The first one of a guest finds large pages, which are small ones afterwards.
    capture(guest, image)
    rows = [capture(guest, image) + (restore(image),) for _ in range(repeat)]
    guest.end()
    return list(zip(*rows))


def run(bench):
    folder = tempfile.mkdtemp(dir='/dev/shm')
    first = None
    try:
        for mib in guests.MEMORY[:2] if bench.quick else guests.MEMORY:
            found = measure(bench.repeat, mib, folder)
            first = first or found
            what = '%d MiB' % mib
            bench.add('ckptd', what + ', standstill', 'ms', found[0], first[0],
                      '%d MiB' % guests.MEMORY[0], -1.5)
            for name, unit, values in zip(
                    ('memory written', 'image for a byte', 'guest meanwhile', 'back again'),
                    ('MiB/s', 'bytes', 'of before', 's'), found[1:]):
                bench.add('ckptd', what + ', ' + name, unit, values)
    finally:
        shutil.rmtree(folder)
