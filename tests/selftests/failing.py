#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: failing.py FOLDER SEED ROUNDS STORE ORIGIN OTHER

Disks that fail at random moments.  In each round something is done to a store while its volumes are
written and read; the disk below it, that below an origin, or both, which are slow perhaps, begin to
fail in the middle of it, as a whole or only to be written or read, and are whole again later.  It
is then held against what is promised:

* what fails does so with EIO, in bounded time, on what hangs on a disk that fails and while it does,
  and on nothing else: neither before, nor on another store or on a volume that has only the other disk;
* the store becomes read-only only with its own disk, for good, with one line in the log and one event;
  then everything is read and nothing is written, and whoever flushes is not told that all is well;
* a store that did not goes on as if nothing had been, with the disk whole;
* otherwise it does when it has been closed and activated again: what was flushed is there, what a
  command said was done is, what it did not say was done as a whole or not at all, a merge that has
  failed is done, and ckpt_check finds nothing.

Of each kind of thing there are ROUNDS with the store's disk, and as many with the origin's or both.
Each writes a line: what was done, a tab, and what is wrong.  STORE, ORIGIN and OTHER, the disk of
another store, are devices of zeros.
"""

import collections
import errno
import faulthandler
import os
import pickle
import random
import subprocess
import sys
import time

import agent
import blk

MIB = 64                        # of each disk and each volume
SECTORS = MIB << 11
UNIT = 2048                     # bytes; half of a block: so some writes are of a part of one
PER_BLOCK = 2
AREA = 16                       # blocks
# Of a volume: its beginning, across two leaves of the map, and its end.
AREAS = [0, (32 << 8) - 8, (MIB << 8) - AREA]
SEEDS = 100000                  # more than there are
PATIENCE = 120                  # seconds until what is under way must have ended

KINDS = ('I/O', 'commit', 'write-back', 'take', 'apply', 'merge of layers', 'merge into a base',
         'load', 'close')


class Wrong(Exception):
    pass


def name_of(error):
    return errno.errorcode.get(error, str(error))


def tried(fn, *args):
    """The errno of what it ended with, or 0."""
    try:
        fn(*args)
        return 0
    except OSError as e:
        return e.errno


def until(what, fn, seconds=PATIENCE):
    end = time.monotonic() + seconds
    while not fn():
        if time.monotonic() > end:
            raise Wrong('%s: not within %d s' % (what, seconds))
        time.sleep(0.01)


def message(*words):
    agent.do_message('st', *words)


# ---- what is promised of a volume's content ----

class Volume:
    """Of each unit: what may be read now, and what may be there after an activation: the seeds that
    it was written with, or 0 for zeros."""

    def __init__(self, name, hangs_on, seed=0):
        self.name, self.hangs_on = name, hangs_on
        units = [u for a in AREAS for u in range(a * PER_BLOCK, (a + AREA) * PER_BLOCK)]
        self.now = {u: frozenset((seed,)) for u in units}
        self.kept = dict(self.now)

    def written(self, units, seed, well):
        for u in units:
            self.now[u] = frozenset((seed,)) if well else self.now[u] | {seed}
            self.kept[u] |= {seed}

    def becomes(self, content):
        self.now, self.kept = dict(content), dict(content)


def read_units(path):
    device = blk.Device(path, write=False)
    try:
        for area in AREAS:
            content = device.read(area * PER_BLOCK * UNIT, AREA * PER_BLOCK * UNIT)
            for i in range(AREA * PER_BLOCK):
                yield area * PER_BLOCK + i, content[i * UNIT:(i + 1) * UNIT]
    finally:
        device.close()


def content_of(unit, seed):
    return blk.data(seed, unit * UNIT, UNIT) if seed else bytes(UNIT)


def compare(what, path, allowed):
    """What there is of what it may be; Wrong, if it is something else."""
    have = {}
    for unit, content in read_units(path):
        fitting = [s for s in allowed[unit] if content == content_of(unit, s)]
        if not fitting:
            known = [s for s in range(SEEDS) if content == content_of(unit, s)]
            raise Wrong('%s: unit %d has none of %s, but %s' %
                        (what, unit, sorted(allowed[unit]), known or 'something else'))
        have[unit] = frozenset(fitting)
    return have


# ---- what goes on beside it ----

Event = collections.namedtuple('Event', 'begun ended volume what units seed error')


def one_bio(r, volume, device, seed):
    """Something of what a file system or a guest does, and how it ended."""
    what = r.choice(('write', 'write', 'write', 'dsync', 'flush', 'read', 'zero', 'discard'))
    area = r.choice(AREAS) * PER_BLOCK
    first = r.randrange(AREA * PER_BLOCK)
    count = min(r.choice((1, 2, 2, 7, 8)), AREA * PER_BLOCK - first)
    # A base may keep what is discarded; here, what is no whole block is kept.
    if what == 'discard' and volume.name != 'v':
        what = 'zero'
    if what == 'discard':
        first -= first % PER_BLOCK
        count = PER_BLOCK
    units = range(area + first, area + first + count)
    at, length = units[0] * UNIT, count * UNIT
    begun = time.monotonic()
    if what in ('write', 'dsync'):
        content = blk.data(seed, at, length)
        error = tried(device.write, at, content, os.RWF_DSYNC if what == 'dsync' else 0)
    elif what == 'flush':
        error, units = tried(device.flush), ()
    elif what == 'read':
        error = tried(device.read, at, length)
    else:
        seed = 0
        error = tried(getattr(device, what), at, length)
    return Event(begun, time.monotonic(), volume.name, what, units, seed, error)


def traffic(volumes, stop, r, seed):
    devices = [(v, blk.Device(agent.node(v.name))) for v in volumes]
    events = []
    while not os.path.exists(stop) and len(events) < 300:
        volume, device = r.choice(devices)
        seed += 1
        events.append(one_bio(r, volume, device, seed))
        time.sleep(r.random() / 250)
    return events


class Child:
    """A process that does something, and says what fn returned."""

    def __init__(self, path, fn, *args):
        self.path, self.status = path, None
        self.pid = os.fork()
        if self.pid:
            return
        status = 1
        try:
            result = fn(*args)
            with open(path, 'wb') as f:
                pickle.dump(result, f)
            status = 0
        except BaseException as e:      # nothing may get past this, into what our parent does
            print('# %s: %s: %s' % (fn.__name__, type(e).__name__, e), flush=True)
        finally:
            os._exit(status)

    def has_ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return self.status is not None

    def result(self):
        until('what is under way ends', self.has_ended)
        if self.status:
            raise Wrong('what was under way ended with status %d' % self.status)
        with open(self.path, 'rb') as f:
            return pickle.load(f)


# ---- disks ----

class Disk:
    def __init__(self, name, device):
        self.name, self.device = 'self-' + name, device
        agent.do_create(self.name, SECTORS, 'linear', device + ' 0')
        dev = os.stat(agent.node(self.name)).st_rdev
        self.stat = '/sys/dev/block/%d:%d/stat' % (os.major(dev), os.minor(dev))

    def put(self, target, params):
        agent.load(self.name, False, (0, SECTORS, target, params))
        agent.do_suspend(self.name, 'noflush', 'nolockfs')
        agent.resume(self.name)

    def mend(self):
        self.put('linear', self.device + ' 0')

    def be_slow(self, ms):
        self.put('delay', '%s 0 %d' % (self.device, ms))

    def fail(self, how):
        if how == 'gone':
            self.put('error', '')
        else:
            self.put('flakey', '%s 0 0 1 1 %s' % (self.device, how))

    def count(self):
        """Reads, writes and flushes that it has ended."""
        with open(self.stat) as f:
            words = f.read().split()
        return int(words[0]) + int(words[4]) + int(words[15])


# ---- the stores ----

class Setup:
    def __init__(self, folder, seed, store, origin, other):
        self.random = random.Random(seed)
        self.folder = folder
        self.seed = 1
        self.disks = {'store': Disk('store', store), 'origin': Disk('origin', origin)}
        self.ways = ['gone', 'error_writes']
        try:
            self.disks['store'].fail('error_reads')
            self.ways.append('error_reads')
        except OSError:         # it came with 6.5
            pass
        self.disks['store'].mend()
        agent.do_create('other', SECTORS, 'ckpt-store', other + ' 1 format')
        agent.do_message('other', 'create_volume', 'far', str(SECTORS))
        agent.do_create('far', SECTORS, 'ckpt', '/dev/mapper/other far')
        self.far = Volume('far', ())
        self.v = Volume('v', ('store',))
        self.disk = Volume('disk', ('store', 'origin'), self.seed)
        self.checkpoints = {}   # by (volume, name): what it may hold
        self.unsure = set()     # of these: taken or deleted, or not
        self.fill('/dev/mapper/self-origin', self.seed)
        agent.do_create('st', SECTORS, 'ckpt-store', '/dev/mapper/self-store 3 format journal_blocks 256')
        message('create_volume', 'v', str(SECTORS))
        message('adopt_volume', 'disk', str(SECTORS))
        self.open_volumes()

    def fill(self, path, seed):
        device = blk.Device(path)
        for area in AREAS:
            at, length = area * PER_BLOCK * UNIT, AREA * PER_BLOCK * UNIT
            device.write(at, blk.data(seed, at, length))
        device.flush()
        device.close()

    def open_v(self):
        agent.do_create('v', SECTORS, 'ckpt', '/dev/mapper/st v')

    def open_volumes(self):
        self.open_v()
        agent.do_create('disk', SECTORS, 'ckpt', '/dev/mapper/st disk /dev/mapper/self-origin')

    def activate(self):
        agent.do_create('st', SECTORS, 'ckpt-store', '/dev/mapper/self-store')
        self.open_volumes()

    def close(self):
        """Whatever there is of it."""
        there = agent.devices()
        agent.do_remove(*(n for n in ('v', 'disk', 'st') if n in there))

    def mode(self):
        return agent.status_line('st').split()[4]

    def merge(self):
        return agent.status_line('st').split()[22]

    def events(self):
        return agent.ioctl('info', 'st')['event']

    def settled(self):
        return self.merge() == 'idle' and agent.status_line('st').split()[18] == '0'

    def write(self, volume, count=6, flush=False):
        """Something that succeeds."""
        device = blk.Device(agent.node(volume.name))
        for _ in range(count):
            self.seed += 1
            e = one_bio(self.random, volume, device, self.seed)
            if e.error:
                raise Wrong('%s of %s fails with %s, while all is in order' %
                            (e.what, volume.name, name_of(e.error)))
            self.note(e)
        if flush:
            device.flush()
            volume.kept = dict(volume.now)
        device.close()

    def volume(self, name):
        return {'v': self.v, 'disk': self.disk, 'far': self.far}[name]

    def note(self, e):
        volume = self.volume(e.volume)
        if e.what == 'flush':
            if not e.error:
                volume.kept = dict(volume.now)
        elif e.what != 'read':
            volume.written(e.units, e.seed, not e.error)
            if e.what == 'dsync' and not e.error:
                volume.kept.update((u, frozenset((e.seed,))) for u in e.units)

    def take(self, name, *volumes):
        """While nothing else goes on and all is in order."""
        message('checkpoint', name, 'standard', *(v.name for v in volumes))
        for v in volumes:
            self.checkpoints[v.name, name], v.kept = dict(v.now), dict(v.now)

    def listed(self):
        words = [line.split() for line in agent.pages('st', 'list')]
        volume = {w[2]: w[3] for w in words if w[0] == 'volume'}
        return {(volume[w[4]], w[3]) for w in words if w[0] == 'checkpoint'}

    def settle(self):
        there = sorted(self.listed())
        if there:
            message('delete_checkpoint', *('%s@%s' % c for c in there))
        self.checkpoints.clear()
        until('all is merged', self.settled)


# ---- what is done: in a process of its own, each returns what commands ended with ----

Command = collections.namedtuple('Command', 'begun ended what volumes name error')


def command(what, volumes, name, fn, *args):
    begun = time.monotonic()
    error = tried(fn, *args)
    return Command(begun, time.monotonic(), what, volumes, name, error)


def take(name, *volumes):
    return command('take', volumes, name, message, 'checkpoint', name, 'standard', *volumes)


def do_io(s, r):
    return []


def do_commits(s, r):
    done = []
    for _ in range(8):
        done.append(command('commit', (), '', message, 'commit'))
        time.sleep(r.random() / 100)
    return done


def do_writebacks(s, r):
    done = []
    for _ in range(3):
        done.append(command('suspend', (), '', agent.do_suspend, 'st'))
        done.append(command('resume', (), '', agent.do_resume, 'st'))
        time.sleep(r.random() / 50)
    return done


def do_takes(s, r):
    return [take('t%d' % i, *volumes) for i, volumes in
            enumerate((('v',), ('v', 'disk'), ('disk',), ('disk', 'v'), ('v',)))]


def do_apply(s, r):
    done = []
    for _ in range(5):
        done.append(command('apply', ('v',), 'before', message, 'apply', 'v@before'))
    return done


def do_merge(s, r, volume):
    done = [command('delete', (volume,), 'before', message, 'delete_checkpoint', volume + '@before')]
    until('a merge ends', lambda: s.mode() == 'ro' or s.settled())
    return done


def do_load(s, r):
    done = [command('load', (), '', s.activate)]
    if done[0].error:
        done.append(command('close', (), '', s.close))
    return done


def do_close(s, r):
    return [command('close', (), '', s.close)]


# ---- a round ----

class Round:
    def __init__(self, s, kind, failing):
        self.s, self.kind, self.failing = s, kind, failing
        self.random = s.random
        self.how = {f: s.random.choice(s.ways) for f in failing}
        self.broken_at = self.whole_at = None
        self.what = '%s, and %s' % (kind, ' and '.join(
            '%s: %s' % (f, self.how[f].replace('_', ' ')) for f in failing))

    def prepare(self):
        s, r = self.s, self.random
        s.write(s.v)
        s.write(s.disk)
        if self.kind in ('apply', 'merge of layers'):
            s.take('before', s.v)
            s.write(s.v)
        elif self.kind == 'merge into a base':
            s.take('before', s.disk)
            s.write(s.disk)
        elif r.random() < 0.5 and self.kind != 'close':
            s.take('kept', s.v, s.disk)
            s.write(s.v)
            s.write(s.disk)
        until('nothing is left to be done', s.settled)
        if self.kind == 'apply':
            agent.do_remove('v')
        if self.kind == 'load':
            if r.random() < 0.5:        # as after a crash, with something in the journal
                s.write(s.v, flush=True)
                s.disks['store'].fail('gone')
            s.close()
            s.disks['store'].mend()
            s.v.now, s.disk.now = dict(s.v.kept), dict(s.disk.kept)

    def begin(self):
        s, r = self.s, self.random
        self.events = None if self.kind == 'load' else s.events()
        agent.do_mark()
        slow = r.choice((0, 1, 2, 4))
        if slow:
            for f in self.failing:
                s.disks[f].be_slow(slow)
        beside = [s.far]
        if self.kind not in ('load', 'close'):
            beside += [s.disk] if self.kind == 'apply' else [s.v, s.disk]
        self.stop = os.path.join(s.folder, 'stop')
        if os.path.exists(self.stop):
            os.unlink(self.stop)
        self.counted = {f: s.disks[f].count() for f in self.failing}
        self.traffic = Child(os.path.join(s.folder, 'traffic'), traffic, beside, self.stop,
                             random.Random(r.random()), s.seed)
        s.seed += 1000
        fn, args = {
            'I/O': (do_io, ()), 'commit': (do_commits, ()), 'write-back': (do_writebacks, ()),
            'take': (do_takes, ()), 'apply': (do_apply, ()), 'merge of layers': (do_merge, ('v',)),
            'merge into a base': (do_merge, ('disk',)), 'load': (do_load, ()),
            'close': (do_close, ())}[self.kind]
        self.work = Child(os.path.join(s.folder, 'work'), fn, s, random.Random(r.random()), *args)

    def moment(self):
        """Until one of the disks has ended so many bios, or so much time is up."""
        s, r = self.s, self.random
        bios, end = r.choice((0, 1, 2, 3, 5, 8, 13, 21)), time.monotonic() + r.random() / 2
        while time.monotonic() < end and not self.work_ended():
            if any(s.disks[f].count() - n >= bios for f, n in self.counted.items()):
                return
            time.sleep(0.0005)

    def work_ended(self):
        """What it does has ended; I/O goes on until it is told to stop."""
        return self.kind != 'I/O' and self.work.has_ended()

    def disturb(self):
        s, r = self.s, self.random
        order = list(self.failing)
        r.shuffle(order)
        self.broken_at = time.monotonic()
        for f in order:
            s.disks[f].fail(self.how[f])
        # It comes back in the middle of it, or afterwards.
        if self.kind == 'I/O' or r.random() < 0.4:
            time.sleep(r.random() / 5)
        else:
            until(self.kind + ' ends', self.work.has_ended)
            time.sleep(r.random() / 20)
        for f in order:
            s.disks[f].mend()
        self.whole_at = time.monotonic()
        until(self.kind + ' ends', self.work.has_ended)
        if r.random() < 0.5:
            time.sleep(r.random() / 20)
        open(self.stop, 'w').close()

    # ---- what came of it ----

    def may_fail(self, begun, ended, hangs_on):
        return ended >= self.broken_at and any(f in self.failing for f in hangs_on) and \
            (begun <= self.whole_at or self.mode == 'ro')

    def judge_bio(self, e):
        if not e.error:
            return
        volume = self.s.volume(e.volume)
        if e.error != errno.EIO or not self.may_fail(e.begun, e.ended, volume.hangs_on) or \
                (e.what == 'read' and e.begun > self.whole_at):
            raise Wrong('%s of %s fails with %s, %d ms after the disk and %d ms before it was whole' %
                        (e.what, e.volume, name_of(e.error), (e.ended - self.broken_at) * 1000,
                         (self.whole_at - e.begun) * 1000))
        self.unflushed |= e.volume == 'v' and e.what == 'flush'

    def judge_command(self, c):
        """What may fail with which error, beside what must not fail at all."""
        if not c.error:
            return
        hangs_on = ('store', 'origin') if 'disk' in c.volumes or c.what == 'load' else ('store',)
        if c.what in ('close', 'suspend', 'resume') or \
                c.error not in (errno.EIO, errno.EROFS) or \
                (c.error == errno.EROFS and self.mode != 'ro') or \
                not self.may_fail(c.begun, c.ended, hangs_on):
            raise Wrong('%s fails with %s' % (c.what, name_of(c.error)))

    def replay(self, events, commands):
        """What may be where, by what had ended when."""
        s = self.s
        takes = [c for c in commands if c.what == 'take']
        content = {}
        points = [(e.ended, 1, e) for e in events] + [(c.begun, 0, c) for c in takes] + \
            [(c.ended, 2, c) for c in commands]
        for _, kind, p in sorted(points, key=lambda p: p[:2]):
            if kind == 0:
                content.update(((v, p.name), dict(s.volume(v).now)) for v in p.volumes)
            elif kind == 1:
                s.note(p)
                for (volume, name), units in content.items():
                    c = next(c for c in takes if c.name == name)
                    if volume == p.volume and p.begun <= c.ended and p.ended >= c.begun:
                        units.update((u, units[u] | {p.seed}) for u in p.units)
            elif p.what == 'take' and not p.error:
                for v in p.volumes:
                    s.volume(v).kept = dict(content[v, p.name])
        for c in commands:
            places = [(v, c.name) for v in c.volumes]
            if c.what == 'take':
                s.checkpoints.update((p, content[p]) for p in places)
            if c.what == 'delete' and not c.error:
                for p in places:
                    del s.checkpoints[p]
            # All of a group, or none.
            if c.what in ('take', 'delete') and c.error:
                self.unsure.append(places)

    def judge_mode(self):
        """One line and one event for each change of the mode, and for each merge that begins or ends."""
        s = self.s
        lines = int(agent.do_counted('is in mode ro now'))
        if lines != (self.mode == 'ro'):
            raise Wrong('mode %s was told by %d lines' % (self.mode, lines))
        if self.mode == 'ro' and 'store' not in self.failing:
            raise Wrong('the store is read-only because of the disk of an origin')
        if self.mode != 'ro' and self.unflushed:
            raise Wrong('a flush has failed, and the store can be written')
        if self.events is None:
            return
        told = s.events() - self.events - lines
        merges = (0,)
        if self.kind.startswith('merge'):
            merges = (2,) if self.mode == 'rw' and not self.commands[0].error else (0, 1, 2)
        if told not in merges:
            raise Wrong('%d events beside %d for mode %s' % (told, lines, self.mode))

    def is_read_only(self):
        """Everything is read, and nothing is written."""
        s = self.s
        device = blk.Device(agent.node('disk'))
        errors = [name_of(tried(device.write, 0, bytes(UNIT))),
                  name_of(tried(message, 'create_volume', 'new', str(SECTORS)))]
        device.close()
        if self.kind != 'apply':
            device = blk.Device(agent.node('v'))
            errors += [name_of(tried(device.zero, 0, UNIT)), name_of(tried(device.flush))]
            device.close()
        if errors != ['EIO', 'EROFS', 'EIO', 'EIO'][:len(errors)]:
            raise Wrong('in mode ro there are the errors ' + ' '.join(errors))

    def look(self, when):
        """Volumes, and views of checkpoints, hold what they may."""
        s = self.s
        for volume in s.v, s.disk:
            if volume.name in agent.devices():
                what = '%s, %s' % (volume.name, when)
                volume.now = compare(what, agent.node(volume.name), volume.now)

    def look_at_checkpoints(self):
        s = self.s
        there = s.listed()
        for places in self.unsure:
            if len({p in there for p in places}) > 1:
                raise Wrong('a command has failed, and was done in part: %s' % there)
            for p in places:
                if p not in there:
                    s.checkpoints.pop(p, None)
        if there != set(s.checkpoints):
            raise Wrong('there are the checkpoints %s, and should be %s' %
                        (sorted(there), sorted(s.checkpoints)))
        for (volume, name), content in s.checkpoints.items():
            origin = '/dev/mapper/self-origin' if volume == 'disk' else '-'
            agent.do_create('view', SECTORS, 'ckpt', '/dev/mapper/st %s@%s %s' % (volume, name, origin),
                            'ro')
            try:
                compare('%s@%s' % (volume, name), agent.node('view'), content)
            finally:
                agent.do_remove('view')

    def applied(self):
        """The volume is as it was, or as the checkpoint."""
        s = self.s
        applied = any(not c.error for c in self.commands)
        former = s.v.kept if self.again else s.v.now
        for content in [s.checkpoints['v', 'before']] + ([] if applied else [former]):
            try:
                s.v.becomes(compare('v', agent.node('v'), content))
                return
            except Wrong as e:
                wrong = e
        raise wrong

    def go_back(self):
        """All in order again, as the documentation says."""
        s = self.s
        s.close()
        checked = subprocess.run(['ckpt_check', '/dev/mapper/self-store'], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True)
        if checked.returncode:
            raise Wrong('ckpt_check says ' + ' '.join(checked.stdout.split()))
        s.v.now, s.disk.now = dict(s.v.kept), dict(s.disk.kept)
        s.activate()
        if s.mode() != 'rw':
            raise Wrong('activated again it is in mode ' + s.mode())

    def judge(self):
        s, r = self.s, self.random
        events, self.commands = self.traffic.result(), self.work.result()
        is_open = 'st' in agent.devices()
        self.mode = s.mode() if is_open else 'ro' if int(agent.do_counted('is in mode ro now')) else 'rw'
        self.unflushed, self.unsure = False, []
        for e in events:
            self.judge_bio(e)
        for c in self.commands:
            self.judge_command(c)
        self.replay(events, self.commands)
        if is_open:
            self.judge_mode()
            self.look('with the disk whole')
            if self.mode == 'ro':
                self.is_read_only()
                self.look('in mode ro')
        stuck = int(agent.do_counted('stays until the next activation'))
        self.again = not is_open or self.mode == 'ro' or stuck or r.random() < 0.3
        if self.again:
            self.go_back()
        if self.kind == 'apply':
            if not self.again:
                s.open_v()
            self.applied()
        self.look('again' if self.again else 'afterwards')
        self.look_at_checkpoints()
        s.write(s.v, flush=True)
        s.write(s.disk, flush=True)
        s.settle()
        self.look('merged')
        self.look_at_origin()
        self.errors = sum(e.error != 0 for e in events), len(events), \
            sum(c.error != 0 for c in self.commands)

    def look_at_origin(self):
        """It is an ordinary device, with all that its volume has."""
        device = blk.Device(agent.node('disk'))
        device.flush()
        device.close()
        compare('the origin', '/dev/mapper/self-origin', self.s.disk.now)

    def run(self):
        self.prepare()
        self.begin()
        self.moment()
        self.disturb()
        self.judge()


def main():
    folder, seed, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    faulthandler.dump_traceback_later(300 + 600 * rounds, exit=True)
    s = Setup(folder, seed, *sys.argv[4:])
    todo = [(k, d) for _ in range(rounds) for k in KINDS
            for d in (('store',), s.random.choice((('origin',), ('store', 'origin'))))]
    s.random.shuffle(todo)
    for kind, failing in todo:
        one, begun = Round(s, kind, failing), time.monotonic()
        try:
            one.run()
        except (Wrong, OSError, agent.Failure) as e:
            print('%s\t%s: %s' % (one.what, type(e).__name__, e), flush=True)
            return 1            # what is left is of no use
        print('%s: mode %s, %d of %d bios and %d commands failed in %d ms\t' %
              (one.what, one.mode, *one.errors, (time.monotonic() - begun) * 1000), flush=True)
    s.close()
    agent.do_remove('far', 'other')
    return 0


if __name__ == '__main__':
    sys.exit(main())
