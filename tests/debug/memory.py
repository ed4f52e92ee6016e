#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every place of the module that allocates fails in turn, during each kind of operation.

usage: tests/debug/memory.py FOLDER   in the debug kernel's machine, with the module loaded;
                                      CKPT_ONLY=REGEX: some of the operations

An operation may fail then for want of memory, or wait; it must not do anything else, or half of
something, and without the fault it must succeed.  Which places an operation reaches is found by
halves: all places fail together at first; where none did, none of them need be looked at.
"""

import errno
import os
import re
import sys
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../selftests'))
sys.dont_write_bytecode = True

import agent            # noqa: E402
import sites            # noqa: E402

# So often each place fails; what waits has to try more often than that.
TIMES = 3
MIB = 1 << 20
# The word of a store's status, from its UUID on.
RESERVED = 6
SECTORS = 2048          # of a MiB
ALLOWED = (errno.ENOMEM,)
# An I/O that ended badly is told by the block layer as it pleases.
ALLOWED_IO = (errno.ENOMEM, errno.EIO)

# Those that no operation here reaches, or that cannot fail, and why.
UNREACHED = {
    'ckpt_copies_add kmalloc_trace': 'it must not fail (__GFP_NOFAIL)',
}


class Problem(Exception):
    pass


def dev(name):
    return agent.node(name)


def message(*words, store='st'):
    agent.do_message(store, *words)


def quiet(function, *args):
    """Undo what may not have been done."""
    try:
        function(*args)
    except (OSError, agent.Failure):
        pass


def settle(store='st', seconds=60):
    end = time.monotonic() + seconds
    while True:
        words = agent.status_line(store).split()[3:]
        if words[1] != 'rw' or words[19] == 'idle' and words[15] == '0':
            return
        # It would try again after a second.
        if words[19] == 'wait':
            message('merge', 'resume', store=store)
        if time.monotonic() > end:
            raise Problem('it does not come to rest: ' + ' '.join(words))
        time.sleep(0.02)


def begins(store='st', seconds=2):
    """Something is being merged into a base, unless it waits for memory."""
    end = time.monotonic() + seconds
    while agent.status_line(store).split()[22] not in ('base', 'wait'):
        if time.monotonic() > end:
            raise Problem('no merge begins: ' + agent.status_line(store))
        time.sleep(0.01)


def mode(store='st'):
    return agent.status_line(store).split()[4]


class Operation:
    """What is done under faults, and what undoes it; whether it changes nothing when it fails; the
    only place that is to fail, where it takes too long to look for those that it reaches."""

    def __init__(self, name, do, undo=lambda: None, check=lambda: None, whole=True, io=False,
                 before=lambda: None, only=None):
        self.name, self.do, self.undo, self.check, self.before = name, do, undo, check, before
        self.only = only
        self.whole, self.allowed = whole, ALLOWED_IO if io else ALLOWED
        self.failed = self.went_on = 0


class Run:
    def __init__(self, found):
        self.sites = found
        self.address = [s.address() for s in found]
        self.reached = {}

    def once(self, op, first, last):
        """Do it with those failing; returns how many allocations have failed."""
        if op.whole:
            agent.do_remember('st')
        op.before()
        sites.arm(self.address[first], self.address[last], TIMES)
        error = None
        try:
            op.do()
        except OSError as e:
            # Without what it knows of the device, which would be kept open.
            error = e.with_traceback(None)
        finally:
            hits = sites.disarm(TIMES)
        who = self.sites[first].name if first == last else 'several'
        if error and not hits:
            raise Problem('%s fails without a fault: %s' % (op.name, error))
        if error and error.errno not in op.allowed:
            raise Problem('%s, %s: the error is %s' % (op.name, who, error))
        if error and op.whole:
            try:
                agent.do_unchanged('st')
            except agent.Failure as e:
                raise Problem('%s, %s: it failed, and changed something: %s' % (op.name, who, e))
        if mode() != 'rw':
            raise Problem('%s, %s: the store is in mode %s' % (op.name, who, mode()))
        if error:
            quiet(op.undo)
            op.do()
        op.check()
        op.undo()
        if hits and first == last:
            self.reached.setdefault(self.sites[first].name, []).append(op.name)
            op.failed += bool(error)
            op.went_on += not error
        return hits

    def all_of(self, op):
        names = [s.name for s in self.sites]
        first = names.index(op.only) if op.only else 0
        self.search(op, first, first if op.only else len(names) - 1)

    def search(self, op, first, last):
        if not self.once(op, first, last) or first == last:
            return
        middle = (first + last) // 2
        self.search(op, first, middle)
        self.search(op, middle + 1, last)


class Seeds:
    """Each write has other data than the one before."""

    def __init__(self):
        self.last = 100

    def next(self):
        self.last += 1
        return self.last


def cold(store='st'):
    """What is in memory of the trees goes."""
    message('commit', store=store)
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('2')


def writes(volume, offset, length, seeds):
    """Overwrite a part of it, and see that it is there."""
    def do():
        agent.do_fill(dev(volume), seeds.next(), offset, length)
        agent.do_flush(dev(volume))

    def check():
        cold()
        agent.do_holds(dev(volume), seeds.last, offset, length)
    return do, check


def prepare(folder):
    """A store with a volume, a clone and a disk, all with a checkpoint; returns loop devices."""
    paths = {name: os.path.join(folder, name) for name in
             ('STORE', 'OTHER', 'NEW', 'ORIGIN', 'FULL', 'HOLES')}
    sizes = {'ORIGIN': 8, 'OTHER': 16, 'FULL': 32, 'HOLES': 32}
    loops = {name: agent.do_loop(path, sizes.get(name, 64)) for name, path in paths.items()}
    agent.do_create('st', 64 * SECTORS, 'ckpt-store', loops['STORE'] + ' 1 format')
    agent.do_fill(loops['ORIGIN'], 3)
    message('create_volume', 'v', str(8 * SECTORS))
    message('adopt_volume', 'disk', str(8 * SECTORS))
    agent.do_create('v', 8 * SECTORS, 'ckpt', dev('st') + ' v')
    agent.do_create('disk', 8 * SECTORS, 'ckpt', '%s disk %s' % (dev('st'), loops['ORIGIN']))
    agent.do_fill(dev('v'), 1, 0, 4 * MIB)
    message('checkpoint', 'kept', 'standard', 'v')
    message('create_volume', 'w', str(8 * SECTORS))
    agent.do_create('w', 8 * SECTORS, 'ckpt', dev('st') + ' w')
    agent.do_fill(dev('w'), 2, 0, MIB)
    message('checkpoint', 'kept', 'standard', 'w')
    agent.do_remove('w')
    # The next number needs another node of the table of numbers.
    for i in range(len(agent.do_pages('st', 'list').split('\n')), 63):
        message('create_template', 'filler%d' % i, '8')
    agent.do_create('other', 16 * SECTORS, 'ckpt-store', loops['OTHER'] + ' 1 format')
    message('create_volume', 'o', str(4 * SECTORS), store='other')
    agent.do_create('o', 4 * SECTORS, 'ckpt', dev('other') + ' o')
    return loops


def administrative():
    def pair(name, do, undo):
        return Operation(name, lambda: message(*do), lambda: message(*undo))
    sectors = [8 * SECTORS]

    def grow():
        message('resize_volume', 'w', str(sectors[0] + 8))

    def grown():
        sectors[0] += 8
    yield pair('a volume is made', ('create_volume', 'x', '16384'), ('delete_volume', 'x'))
    yield pair('a disk is adopted', ('adopt_volume', 'x', '16384'), ('delete_volume', 'x'))
    yield pair('a template is made', ('create_template', 'x', '16384'), ('delete_template', 'x'))
    yield pair('a clone is made', ('clone', 'v@kept', 'x'), ('delete_volume', 'x'))
    yield pair('a volume is renamed', ('rename_volume', 'v', 'x'), ('rename_volume', 'x', 'v'))
    yield pair('a checkpoint is renamed', ('rename_checkpoint', 'v@kept', 'x'),
               ('rename_checkpoint', 'v@x', 'kept'))
    yield pair('a limit is set', ('limit_volume', 'v', '9000'), ('limit_volume', 'v', '0'))
    yield Operation('a volume grows', grow, check=grown)
    yield Operation('it is listed', lambda: agent.do_pages('st', 'list'), whole=False)
    yield Operation('a difference is asked for',
                    lambda: agent.do_pages('st', 'diff', 'v', 'kept', '-'), whole=False, before=cold)
    yield Operation('an estimate is asked for',
                    lambda: message('estimate', 'v@kept'), whole=False, before=cold)
    yield Operation('a checkpoint is taken', lambda: message('checkpoint', 'c', 'standard', 'v', 'disk'),
                    lambda: (message('delete_checkpoint', 'v@c', 'disk@c'), settle()))
    yield Operation('a volume goes back', lambda: message('apply', 'w@kept'))


def input_output(seeds):
    for name, volume, offset, length in (
            ('blocks are written', 'v', MIB, 256 << 10),
            ('parts of blocks are written', 'v', 2 * MIB + 512, 1024),
            ('the disk is written', 'disk', MIB, 256 << 10),
            ('a part of a block of the disk is written', 'disk', 2 * MIB + 512, 1024)):
        do, check = writes(volume, offset, length, seeds)

        # So that they are first writes again, with something below them.
        def undo(volume=volume):
            quiet(message, 'delete_checkpoint', volume + '@next')
            settle()
            message('checkpoint', 'next', 'standard', volume)
        undo()
        yield Operation(name, do, undo, check, whole=False, io=True, before=cold)
    yield Operation('it is read', lambda: agent.do_holds(dev('v'), 1, 0, MIB), whole=False, io=True,
                    before=cold)

    def drop():
        agent.do_discard(dev('v'), 3 * MIB, 256 << 10)
        agent.do_flush(dev('v'))

    def dropped():
        agent.do_holds(dev('v'), 'zeros', 3 * MIB, 256 << 10)

    def written():
        agent.do_fill(dev('v'), 1, 3 * MIB, 256 << 10)
    yield Operation('blocks are discarded', drop, written, dropped, whole=False, io=True)

    def back():
        agent.do_fill(dev('v'), seeds.next(), 5 * MIB, 64 << 10)
        message('commit')
    def unwritten():
        agent.do_discard(dev('v'), 5 * MIB, 64 << 10)
        cold()
    yield Operation('the trees are written back', back, whole=False, io=True, before=unwritten,
                    check=lambda: agent.do_holds(dev('v'), seeds.last, 5 * MIB, 64 << 10))


def background(seeds):
    """Two layers with blocks in the same clusters become one, and a layer goes into its base."""
    seed = [0, 0, 0]
    for name in 'v@next', 'disk@next':
        quiet(message, 'delete_checkpoint', name)
    settle()

    def parts(volume, which, start):
        seed[which] = seeds.next()
        for cluster in range(4):
            agent.do_fill(dev(volume), seed[which], 6 * MIB + (cluster << 17) + start, 16384)

    def layers(volume):
        parts(volume, 0, 0)
        message('checkpoint', 'a', 'standard', volume)
        parts(volume, 1, 32768)
        message('checkpoint', 'b', 'standard', volume)
        parts(volume, 2, 8192)
        message('delete_checkpoint', volume + '@a')
        settle()
        message('delete_checkpoint', volume + '@b')
        settle()

    def merged(volume):
        for cluster in range(4):
            at = 6 * MIB + (cluster << 17)
            agent.do_holds(dev(volume), seed[0], at, 8192)
            agent.do_holds(dev(volume), seed[2], at + 8192, 16384)
            agent.do_holds(dev(volume), seed[1], at + 32768, 16384)

    def undo(volume):
        for name in 'ab':
            quiet(message, 'delete_checkpoint', '%s@%s' % (volume, name))
        settle()
    for name, volume in (('layers are merged', 'v'), ('layers are merged into the base', 'disk')):
        yield Operation(name, lambda volume=volume: layers(volume),
                        lambda volume=volume: undo(volume),
                        lambda volume=volume: merged(volume), whole=False, io=True)

    def short():
        message('low_water', '4294967295')
        try:
            layers('v')
        finally:
            message('low_water', '0')
    yield Operation('layers are merged where space is short', short, lambda: undo('v'),
                    lambda: merged('v'), whole=False, io=True, only='ckpt_trim kvmalloc_node')

    def through():
        message('checkpoint', 'a', 'standard', 'disk')
        agent.do_fill(dev('disk'), seeds.next(), 4 * MIB, 2 * MIB)
        # The writes come while most of it is still to be merged.
        message('merge', 'rate', '256')
        try:
            message('delete_checkpoint', 'disk@a')
            begins()
            seed[0] = seeds.next()
            for i in range(32):
                agent.do_fill(dev('disk'), seed[0], 4 * MIB + (i << 16) + 512, 1024)
            agent.do_flush(dev('disk'))
        finally:
            message('merge', 'rate', '0')
        settle()

    def went():
        cold()
        for i in range(32):
            agent.do_holds(dev('disk'), seed[0], 4 * MIB + (i << 16) + 512, 1024)
    yield Operation('a head is written through', through, lambda: undo('disk'), went,
                    whole=False, io=True)

    def gone():
        message('create_volume', 'x', '16384')
        agent.do_create('x', 16384, 'ckpt', dev('st') + ' x')
        agent.do_fill(dev('x'), seeds.next(), 0, 2 * MIB)
        agent.do_remove('x')
        message('delete_volume', 'x')
        settle()

    def away():
        quiet(agent.do_remove, 'x')
        quiet(message, 'delete_volume', 'x')
        settle()
    yield Operation('a volume is freed', gone, away, whole=False, io=True)


def tables(loops, seeds):
    def made():
        agent.do_create('new', 64 * SECTORS, 'ckpt-store', loops['NEW'] + ' 1 format')

    def unmade():
        quiet(agent.do_remove, 'new')
        agent.do_zero(loops['NEW'], 0, 2 * MIB)
    yield Operation('a store is made', made, unmade, whole=False)

    def attach():
        agent.do_create('x', 8 * SECTORS, 'ckpt', dev('st') + ' x')

    def twin():
        agent.do_create('twin', 8 * SECTORS, 'ckpt', dev('st') + ' v@kept', 'ro')
    message('create_volume', 'x', str(8 * SECTORS))
    yield Operation('a volume is attached', attach, lambda: agent.do_remove('x'))
    message('delete_volume', 'x')
    yield Operation('a checkpoint is viewed', twin, lambda: agent.do_remove('twin'))

    # What was written and not flushed is there when all was closed in order.
    def close():
        agent.do_fill(dev('o'), seeds.next(), 0, MIB)
        agent.do_remove('o')
        agent.do_remove('other')

    def open_():
        agent.do_create('other', 16 * SECTORS, 'ckpt-store', loops['OTHER'])
        agent.do_create('o', 4 * SECTORS, 'ckpt', dev('other') + ' o')
        agent.do_holds(dev('o'), seeds.last, 0, MIB)
        # The next ones are first writes again.
        agent.do_discard(dev('o'), 0, MIB)
        message('commit', store='other')
    yield Operation('a store is closed', close, open_, whole=False)

    agent.do_remove('o')
    agent.do_remove('other')
    # As a crash would have left it: with a journal that has to be replayed.
    agent.do_create('other', 16 * SECTORS, 'ckpt-store', loops['OTHER'])
    agent.do_create('o', 4 * SECTORS, 'ckpt', dev('other') + ' o')
    seed = seeds.next()
    agent.do_fill(dev('o'), seed, 0, 2 * MIB)
    agent.do_flush(dev('o'))
    disk = agent.blk.Device(loops['OTHER'])
    crashed = [disk.read(at, MIB) for at in range(0, 16 * MIB, MIB)]
    agent.do_remove('o')
    agent.do_remove('other')

    def restore():
        for i, content in enumerate(crashed):
            if disk.read(i * MIB, MIB) != content:
                disk.write(i * MIB, content)

    def activate():
        agent.do_create('other', 16 * SECTORS, 'ckpt-store', loops['OTHER'])
        agent.do_create('o', 4 * SECTORS, 'ckpt', dev('other') + ' o')

    def deactivate():
        quiet(agent.do_remove, 'o')
        quiet(agent.do_remove, 'other')
        restore()
    restore()
    yield Operation('a store is activated', activate, deactivate,
                    lambda: agent.do_holds(dev('o'), seed, 0, 2 * MIB), whole=False)


def crowded(loops):
    """Layers become one on a full store where nothing is free but single units: slots of sixteen
    blocks find a row only when others are moved.  And whole clusters are written where windows with
    holes have taken all there were."""
    clusters, sectors = 64, 16777216
    written = {}

    def free_units():
        end = time.monotonic() + 20
        while int(agent.status_line('full').split()[2 + RESERVED]) > 64:
            if time.monotonic() > end:
                raise Problem('windows are not given back: ' + agent.status_line('full'))
            time.sleep(0.02)

    def fill(volume, seed, *where):
        written[volume, seed, *where] = int(agent.do_fill_up(dev(volume), seed, *where).split()[0])

    def layer(seed, *where):
        message('checkpoint', 'c%d' % seed, 'standard', 'v0', store='full')
        free_units()
        fill('v0', seed, *where)

    def empty(loop):
        agent.do_create('full', 32 * SECTORS, 'ckpt-store',
                        loop + ' 2 format error_if_no_space')
        for name, size in ('v0', clusters * 256), ('rest', sectors), ('last', sectors):
            message('create_volume', name, str(size), store='full')
            agent.do_create(name, size, 'ckpt', '%s %s' % (dev('full'), name))
        # Else slots would be packed for each other.
        message('merge', 'pause', store='full')
        written.clear()

    def dense():
        empty(loops['FULL'])
        for i in range(3):
            layer(i, i * 4096, 16384, 4096)
        fill('rest', 5, 0, 131072, 65536)
        fill('last', 6, 0, 131072, 4096)

    def holes():
        empty(loops['HOLES'])
        for i in range(3):
            layer(i, 0, 8192, 4096)
        del written['v0', 0, 0, 8192, 4096], written['v0', 1, 0, 8192, 4096]
        message('checkpoint', 'c3', 'standard', 'v0', store='full')

    def merge():
        message('merge', 'resume', store='full')
        message('delete_checkpoint', 'v0@c1', store='full')
        message('delete_checkpoint', 'v0@c2', store='full')
        settle('full')

    def same():
        for (volume, seed, *where), count in written.items():
            if int(agent.do_filled(dev(volume), seed, count, *where)) != count:
                raise Problem('%s is not what was written' % volume)

    def away():
        agent.do_remove('v0', 'rest', 'last', 'full')

    def write():
        message('merge', 'resume', store='full')
        agent.do_fill(dev('last'), 7, 0, 60 * 131072)
        written['last', 7, 0, 131072, 131072] = 60
    yield Operation('others make room', merge, away, same, whole=False, io=True, before=dense,
                    only='ckpt_room_make kvmalloc_node')
    yield Operation('others make windows', write, away, same, whole=False, io=True, before=holes,
                    only='ckpt_pack_layer kvmalloc_node')


def main(folder):
    ko = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../build/debug/dm-ckpt/dm-ckpt.ko')
    # What is in .init.text has gone.
    found = [s for s in sites.find(ko) if s.section == '.text']
    sites.prepare()
    loops, seeds = prepare(folder), Seeds()
    run, tests, failures = Run(found), 0, 0

    def point(well, what, why=''):
        nonlocal tests, failures
        tests += 1
        failures += not well
        print('%sok %d - %s' % ('' if well else 'not ', tests, what), flush=True)
        for line in why.splitlines():
            print('# ' + line, flush=True)

    only = os.environ.get('CKPT_ONLY')
    for maker in (administrative(), input_output(seeds), background(seeds), tables(loops, seeds),
                  crowded(loops)):
        for op in maker:
            if only and not re.search(only, op.name):
                continue
            start = time.monotonic()
            why = ''
            try:
                run.all_of(op)
            except (Problem, OSError, agent.Failure) as e:
                why = traceback.format_exc()
                sites.disarm(TIMES)
                quiet(op.undo)
            point(not why, '%s without memory: %d errors, %d times it went on (%.0f s)' %
                  (op.name, op.failed, op.went_on, time.monotonic() - start), why)
    for name in ('v', 'disk', 'o', 'st', 'other'):
        quiet(agent.do_remove, name)
    for name in sorted(run.reached):
        print('# %s: %s' % (name, ', '.join(sorted(set(run.reached[name])))))
    missed = [s.name for s in found if s.name not in run.reached]
    for name in missed:
        print('# not reached: %s: %s' % (name, UNREACHED.get(name, '?')))
    if not only:
        point(set(missed) <= set(UNREACHED), '%d places of %d have failed' % (len(run.reached), len(found)))
    print('1..%d' % tests)
    agent.do_clean()
    agent.do_unloop(*loops.values())
    return failures


if __name__ == '__main__':
    sys.exit(1 if main(sys.argv[1]) else 0)
