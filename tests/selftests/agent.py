#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What lib.sh has done by one process that stays, as starting one for each
little thing is what takes the time in an emulated machine: device-mapper's
ioctls, the kernel's log, comparing and filling devices.

A request is a line with the number of its words and the words, each ended by a
NUL; the answer a line with 0 or an errno's name and the number of lines that
follow.
"""

import errno
import fcntl
import hashlib
import json
import mmap
import os
import re
import socket
import stat
import struct
import sys
import time

import blk
import iotest

HEADER = struct.Struct('=3I I I I i I I I Q 128s 129s 7x')
SPEC = struct.Struct('=QQiI16s')
MINOR = {'list': 2, 'create': 3, 'remove': 4, 'rename': 5, 'suspend': 6, 'info': 7, 'load': 9,
         'clear': 10, 'status': 12, 'message': 14}
READONLY, SUSPEND, TABLE = 1 << 0, 1 << 1, 1 << 4
BUFFER_FULL, SKIP_LOCKFS, NOFLUSH, INACTIVE, DATA_OUT, DEFERRED = \
    1 << 8, 1 << 10, 1 << 11, 1 << 12, 1 << 16, 1 << 17

control = os.open('/dev/mapper/control', os.O_RDWR)
kmsg = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
os.lseek(kmsg, 0, os.SEEK_END)
log_lines = []
states = {}


class Failure(Exception):
    """An answer that is no errno."""


def ioctl(command, name, flags=0, payload=b'', size=1 << 16, targets=0):
    """Returns flags, open count, event number, device number, payload."""
    total = HEADER.size + max(len(payload), size)
    head = HEADER.pack(4, 0, 0, total, HEADER.size, targets, 0, flags,
                       0, 0, 0, os.fsencode(name), b'')
    buffer = bytearray(total)
    buffer[:len(head)] = head
    buffer[len(head):len(head) + len(payload)] = payload
    fcntl.ioctl(control, 3 << 30 | HEADER.size << 16 | 0xfd << 8 | MINOR[command], buffer)
    h = HEADER.unpack_from(buffer)
    return {'flags': h[7], 'open': h[6], 'event': h[8], 'dev': h[10],
            'payload': bytes(buffer[h[4]:h[3]])}


def node(name):
    return '/dev/mapper/' + name


def make_node(name, dev):
    """In place of one that libdevmapper made for a device that went without it."""
    minor = dev & 0xff | dev >> 12 & 0xfff00
    path = node(name)
    if os.path.exists(path) and os.minor(os.stat(path).st_rdev) == minor:
        return
    if os.path.lexists(path):
        os.unlink(path)
    os.symlink('../dm-%d' % minor, path)


def drop_node(name):
    if os.path.islink(node(name)):
        os.unlink(node(name))


# A table is made of pieces: start, sectors, target, parameters.
def load(name, readonly, *pieces):
    payload = b''
    for start, sectors, target, params in pieces:
        text = os.fsencode(params) + b'\0'
        text += bytes(-len(text) % 8)
        payload += SPEC.pack(int(start), int(sectors), 0, SPEC.size + len(text),
                             os.fsencode(target)) + text
    ioctl('load', name, READONLY if readonly else 0, payload, targets=len(pieces))


def resume(name):
    make_node(name, ioctl('suspend', name)['dev'])


def do_create(name, sectors, target, params='', mode='rw'):
    ioctl('create', name)
    try:
        load(name, mode == 'ro', (0, sectors, target, params))
        resume(name)
    except OSError:
        ioctl('remove', name)
        raise


def do_load(name, sectors, target, params='', mode='rw'):
    load(name, mode == 'ro', (0, sectors, target, params))


def do_load_pieces(name, *words):
    load(name, False, *zip(words[0::4], words[1::4], words[2::4], words[3::4]))


def do_resume(name):
    resume(name)


def do_suspend(name, *options):
    flags = SUSPEND
    flags |= NOFLUSH if 'noflush' in options else 0
    flags |= SKIP_LOCKFS if 'nolockfs' in options else 0
    ioctl('suspend', name, flags)


def do_remove(*names):
    for name in names:
        ioctl('remove', name)
        drop_node(name)


def do_rename(name, new):
    dev = ioctl('rename', name, payload=os.fsencode(new) + b'\0')['dev']
    drop_node(name)
    make_node(new, dev)


def do_deferred(name):
    flags = ioctl('remove', name, DEFERRED)['flags']
    if not flags & DEFERRED:
        drop_node(name)


def devices():
    payload = ioctl('list', '', size=1 << 20)['payload']
    names, at = [], 0
    while payload:
        dev, step = struct.unpack_from('=QI', payload, at)
        if dev:
            names.append(payload[at + 12:].split(b'\0', 1)[0].decode())
        if not step:
            break
        at += step
    return names


def is_ours(name):
    if name.startswith('self-'):
        return True
    try:
        return status_line(name, TABLE).split()[2] in ('ckpt', 'ckpt-store')
    except (OSError, struct.error):     # gone meanwhile, or without a table
        return False


def do_devices():
    """All that are of our targets, or are named self-* by a test."""
    return '\n'.join(filter(is_ours, devices()))


def do_clean():
    """Away with them, whatever stands on what, for a few seconds."""
    end = time.monotonic() + 5
    while names := list(filter(is_ours, devices())):
        for name in names:
            try:
                do_remove(name)
            except OSError:
                pass
        if time.monotonic() > end:
            raise Failure('cannot remove %s' % ' '.join(names))
        time.sleep(0.02)


LOOP_SET_FD, LOOP_CLR_FD, LOOP_SET_CAPACITY, LOOP_SET_BLOCK_SIZE, LOOP_CTL_GET_FREE = \
    0x4c00, 0x4c01, 0x4c07, 0x4c09, 0x4c82


def do_loop(path, mib):
    """A loop device over a file of that size."""
    with open(path, 'w+b') as f, open('/dev/loop-control', 'rb') as ctl:
        f.truncate(int(mib) << 20)
        while True:
            dev = '/dev/loop%d' % fcntl.ioctl(ctl, LOOP_CTL_GET_FREE)
            with open(dev, 'r+b', buffering=0) as d:
                try:
                    fcntl.ioctl(d, LOOP_SET_FD, f.fileno())
                    return dev
                except OSError as e:
                    if e.errno != errno.EBUSY:      # somebody else was faster
                        raise


def do_unloop(*paths):
    for path in paths:
        with open(path, 'rb') as d:
            fcntl.ioctl(d, LOOP_CLR_FD)


def do_resize_loop(dev, path, mib):
    os.truncate(path, int(mib) << 20)
    with open(dev, 'rb') as d:
        fcntl.ioctl(d, LOOP_SET_CAPACITY)


def do_loop_sectors(dev, size):
    """The loop device has sectors of so many bytes from now on."""
    with open(dev, 'rb') as d:
        fcntl.ioctl(d, blk.BLKFLSBUF)       # what is cached is in the way
        fcntl.ioctl(d, LOOP_SET_BLOCK_SIZE, int(size))


def do_clear(name):
    ioctl('clear', name)


def do_info(name):
    i = ioctl('info', name)
    return '%s %d %d' % ('suspended' if i['flags'] & SUSPEND else 'active', i['open'], i['event'])


def status_line(name, flags=0):
    payload = ioctl('status', name, flags)['payload']
    start, length, _, _, target = SPEC.unpack_from(payload)
    text = os.fsdecode(payload[SPEC.size:].split(b'\0')[0])
    return '%d %d %s %s' % (start, length, target.split(b'\0')[0].decode(), text)


def do_status(name, *options):
    return status_line(name, NOFLUSH if 'noflush' in options else 0)


def do_table(name, *options):
    return status_line(name, TABLE | (INACTIVE if 'inactive' in options else 0))


def message(name, words):
    result = ioctl('message', name, 0, struct.pack('=Q', 0) +
                   b' '.join(os.fsencode(w) for w in words) + b'\0')
    return os.fsdecode(result['payload'].split(b'\0')[0]) if result['flags'] & DATA_OUT else ''


def do_message(name, *words):
    return message(name, words)


def pages(name, *words):
    lines = []
    cursor = []
    while True:
        part = message(name, list(words) + cursor).split('\n')
        lines += part[:-1]
        if part[-1] == 'end':
            return lines
        if not part[-1].startswith('next '):
            raise Failure('a page ends with %r' % part[-1])
        cursor = part[-1].split()[1:]


def do_pages(name, *words):
    return '\n'.join(pages(name, *words))


# The store as far as a message that fails must not change it: no counters of what went on.
# What is freed goes on by itself, and would be seen to change: so it is waited for.
def state(name):
    end = time.monotonic() + 10
    words = status_line(name).split()[3:]
    while words[1] == 'rw' and words[19] == 'free' and time.monotonic() < end:
        time.sleep(0.05)
        words = status_line(name).split()[3:]
    if words[1] == 'rw':
        message(name, ['commit'])
        words = status_line(name).split()[3:]
    kept = words[:5] + words[11:16]
    return [' '.join(kept)] + sorted(pages(name, 'list'))


def do_remember(name):
    states[name] = state(name)


def do_unchanged(name):
    now = state(name)
    if now == states[name]:
        return ''
    raise Failure('\n'.join(['- ' + s for s in states[name] if s not in now] +
                            ['+ ' + s for s in now if s not in states[name]]))


def read_log():
    while True:
        try:
            line = os.read(kmsg, 8192).split(b';', 1)[-1]
            log_lines.append(os.fsdecode(re.sub(rb'\\x([0-9a-f]{2})',
                                                lambda m: bytes.fromhex(m[1].decode()), line)))
        except BlockingIOError:
            return
        except BrokenPipeError:     # the oldest ones are gone
            continue


def do_mark():
    read_log()
    log_lines.clear()


def do_log(pattern):
    read_log()
    for line in log_lines:
        if re.search(pattern, line):
            return line.split('\n')[0]
    raise Failure('no %r in\n%s' % (pattern, ''.join(log_lines[-8:])))


def do_counted(pattern):
    """How many lines of the log match, since the mark."""
    read_log()
    return str(sum(bool(re.search(pattern, line)) for line in log_lines))


def do_fill(path, seed, offset='0', length=None):
    device = blk.Device(path)
    at = int(offset)
    end = device.size if length is None else at + int(length)
    while at < end:
        part = min(end - at, blk.CHUNK)
        device.write(at, blk.data(int(seed), at, part))
        at += part
    device.close()


def do_nowait(path, seed, offset):
    """Write a block, and fail instead of waiting."""
    device = blk.Device(path)
    try:
        device.write(int(offset), blk.data(int(seed), int(offset), 4096), os.RWF_NOWAIT)
    finally:
        device.close()


def do_fill_up(path, seed, offset='0', step='65536', length='65536'):
    """Write each step until there is no space or the end: how many, and why it ended."""
    device = blk.Device(path)
    at, count, step, length = int(offset), 0, int(step), int(length)
    try:
        while at + length <= device.size:
            device.write(at, blk.data(int(seed), at, length))
            at += step
            count += 1
        return '%d end' % count
    except OSError as e:
        return '%d %s' % (count, errno.errorcode[e.errno])
    finally:
        device.close()


# How many of the steps that fill_up made hold what it wrote.
def do_filled(path, seed, count, offset='0', step='65536', length='65536'):
    device = blk.Device(path, write=False)
    good = 0
    for i in range(int(count)):
        at = int(offset) + i * int(step)
        good += device.read(at, int(length)) == blk.data(int(seed), at, int(length))
    device.close()
    return str(good)


def do_counters(*paths):
    """What ordered.py wrote last."""
    return ' '.join('%d' % struct.unpack_from('<Q', blk.Device(p, write=False).read(0, 4096))
                    for p in paths)


def do_holds(path, seed, offset='0', length=None):
    device = blk.Device(path, write=False)
    at = int(offset)
    end = device.size if length is None else at + int(length)
    while at < end:
        part = min(end - at, blk.CHUNK)
        wanted = bytes(part) if seed == 'zeros' else blk.data(int(seed), at, part)
        diff = blk.first_difference(device.read(at, part), wanted)
        if diff is not None:
            raise Failure('%s differs from %s at byte %d' % (path, seed, at + diff))
        at += part
    device.close()


def do_same(a, b, offset='0', length=None):
    one, two = (blk.Device(p, write=False, direct=stat.S_ISBLK(os.stat(p).st_mode))
                for p in (a, b))
    at = int(offset)
    end = one.size if length is None else at + int(length)
    if length is None and one.size != two.size:
        raise Failure('%s has %d bytes, %s %d' % (a, one.size, b, two.size))
    diff = blk.compare(one, two, at, end - at)
    one.close()
    two.close()
    if diff is not None:
        raise Failure('%s and %s differ at byte %d' % (a, b, diff))


def do_md5(path, offset='0', length=None):
    device = blk.Device(path, write=False)
    at = int(offset)
    end = device.size if length is None else at + int(length)
    sum_ = hashlib.md5()
    while at < end:
        part = min(end - at, blk.CHUNK)
        sum_.update(device.read(at, part))
        at += part
    device.close()
    return sum_.hexdigest()


def do_discard(path, offset, length):
    device = blk.Device(path)
    device.discard(int(offset), int(length))
    device.close()


def do_zero(path, offset, length):
    device = blk.Device(path)
    device.zero(int(offset), int(length))
    device.close()


def do_flush(path):
    device = blk.Device(path)
    device.flush()
    device.close()


def do_io(*words):
    well, text = iotest.run(*words)
    if not well:
        raise Failure(text)
    return text


# Bytes of a file or device are turned over, each in place; a device through the page cache.
def do_damage(path, offset, length):
    with open(path, 'r+b', buffering=0) as f:
        f.seek(int(offset))
        content = f.read(int(length))
        f.seek(int(offset))
        f.write(bytes(c ^ 0xff for c in content))
        os.fsync(f.fileno())


def crc32c(content):
    crc = 0xffffffff
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc


# Bytes of both superblocks become others, and the checksums are right again.
def do_patch_super(path, offset, new):
    with open(path, 'r+b', buffering=0) as f:
        for at in 0, 1 << 20:
            f.seek(at)
            block = bytearray(f.read(4096))
            block[int(offset):int(offset) + len(new) // 2] = bytes.fromhex(new)
            block[16:20] = bytes(4)
            block[16:20] = struct.pack('<I', crc32c(block))
            f.seek(at)
            f.write(block)
        os.fsync(f.fileno())


def do_rename_btrfs(path):
    """Of a copy of a btrfs, so that both can be mounted: it gets another fsid, the former one is that
    of its metadata from now on. btrfstune does the same, but begins a transaction, for which the log
    that has what was synced is of the past."""
    fsid, metadata, metadata_uuid = 0x20, 0x23b, 1 << 10
    name = os.urandom(16)
    with open(path, 'r+b', buffering=0) as f:
        for at in 64 << 10, 64 << 20:
            f.seek(at)
            block = bytearray(f.read(4096))
            flags, = struct.unpack_from('<Q', block, 0xbc)
            if block[0x40:0x48] != b'_BHRfS_M' or flags & metadata_uuid:
                raise Failure('no btrfs with one name at %d' % at)
            block[metadata:metadata + 16] = block[fsid:fsid + 16]
            block[fsid:fsid + 16] = name
            struct.pack_into('<Q', block, 0xbc, flags | metadata_uuid)
            struct.pack_into('<I', block, 0, crc32c(block[32:]) ^ 0xffffffff)
            f.seek(at)
            f.write(block)
        os.fsync(f.fileno())


# The block that says who has a store open, as dm-ckpt/format.h has it, in the store's file.
GUARD, GUARD_AT = struct.Struct('<4sI16s16s16sQQQII64s'), 512 << 10
GUARD_FIELDS = ('magic', 'crc', 'uuid', 'id', 'boot', 'sequence', 'written', 'since', 'state',
                'interval', 'host')


def read_guard(f):
    f.seek(GUARD_AT)
    return dict(zip(GUARD_FIELDS, GUARD.unpack(f.read(512)[:GUARD.size])))


def write_guard(f, fields, sealed=True):
    block = bytearray(GUARD.pack(*(fields[name] for name in GUARD_FIELDS)).ljust(512, b'\0'))
    block[4:8] = bytes(4)
    block[4:8] = struct.pack('<I', crc32c(block) if sealed else 1)
    f.seek(GUARD_AT)
    f.write(block.ljust(4096, b'\0'))


def do_guard(path, *changes):
    """Say what is in it, after these fields have become others; "none": it is zeros,
    "damaged": its checksum is wrong."""
    with open(path, 'r+b', buffering=0) as f:
        fields = read_guard(f)
        if changes == ('none',):
            f.seek(GUARD_AT)
            f.write(bytes(4096))
            return
        for name, value in (c.split('=', 1) for c in changes if c != 'damaged'):
            if name == 'host':
                fields[name] = value.encode()
            else:
                fields[name] = bytes.fromhex(value) if isinstance(fields[name], bytes) else int(value)
        if changes:
            write_guard(f, fields, 'damaged' not in changes)
    return ' '.join(str(fields[name]) for name in ('state', 'sequence', 'interval')) + \
        ' %s %s' % (fields['host'].rstrip(b'\0').decode(), fields['id'].hex())


def do_beat(path, flag):
    """Write the block as its owner would, five times a second, as long as the file @flag is there:
    by a process of its own, as an ioctl that waits holds up all threads."""
    if os.fork():
        return
    end = time.monotonic() + 60
    with open(path, 'r+b', buffering=0) as f:
        while os.path.exists(flag) and time.monotonic() < end:
            fields = read_guard(f)
            fields['sequence'] += 1
            write_guard(f, fields)
            time.sleep(0.2)
    os._exit(0)


def do_ring(*paths):
    """Of each: the last number in the ring of 64 sectors that guest.sh's guest fills, or '-' if those
    before it are not all there."""
    last = []
    for path in paths:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        with mmap.mmap(-1, 32768) as buffer:
            size = os.preadv(fd, [buffer], 8192)
            numbers = [n for n, in struct.iter_unpack('<I508x', buffer[:size])]
        os.close(fd)
        top = max(numbers)
        expected = [top - (top - i) % 64 for i in range(64)]
        last.append(str(top) if numbers == [max(n, 0) for n in expected] else '-')
    return ' '.join(last)


def do_qmp(path, command, arguments='{}'):
    """What QEMU answers to that."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(30)
        s.connect(path)
        f = s.makefile('rw')
        f.readline()
        for wanted in {'execute': 'qmp_capabilities'}, {'execute': command, 'arguments': json.loads(arguments)}:
            f.write(json.dumps(wanted) + '\n')
            f.flush()
            while 'event' in (answer := json.loads(f.readline())):
                pass
        return json.dumps(answer.get('return', answer))


def request():
    line = sys.stdin.buffer.readline()
    if not line:
        sys.exit(0)
    words = []
    for _ in range(int(line)):
        word = bytearray()
        while (c := sys.stdin.buffer.read(1)) != b'\0':
            if not c:
                sys.exit(0)
            word += c
        words.append(os.fsdecode(bytes(word)))
    return words


def main():
    while True:
        words = request()
        try:
            text, status = globals()['do_' + words[0]](*words[1:]) or '', '0'
        except OSError as e:
            text, status = str(e), errno.errorcode.get(e.errno, str(e.errno))
        except Failure as e:
            text, status = str(e), 'FAIL'
        except Exception as e:          # a mistake in a test is to be told, too
            text, status = '%s: %s: %s' % (words, type(e).__name__, e), 'BROKEN'
        lines = text.split('\n') if text else []
        answer = '%s %d\n' % (status, len(lines)) + ''.join(s + '\n' for s in lines)
        sys.stdout.buffer.write(os.fsencode(answer))
        sys.stdout.buffer.flush()


if __name__ == '__main__':
    main()
