#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: load.py run|check|open FOLDER SECONDS SEED [ORIGIN...]

run: make volumes of the largest size in the store st, the first of them over the origins, and for
so many seconds, once there are enough checkpoints, do everything at once: write and read, take,
delete, go back, clone and look at checkpoints, and what device-mapper and udev do to devices.
Each process has some of the volumes, and knows what these and their checkpoints should hold; one
more does to the store, and to whatever device there is, what nobody has asked for.  In the end all
heads, and views of some checkpoints, are held against that, and it is left in FOLDER; the volumes
are gone then.

check: once more, after all was closed and is active again.

open: have those open that have an origin.
"""

import collections
import errno
import faulthandler
import mmap
import os
import pickle
import random
import sys
import threading
import time

import agent
import blk

GROUPS = 4
VOLUMES = 8                     # of each
CHECKPOINTS = 250               # of each, at least, once there are so many
SECTORS = 1 << 37               # 64 TiB
BLOCK = 4096
AREAS, AREA = 16, 40            # places of a volume that are used, and blocks of each
PATIENCE = 60                   # seconds until what is busy must have ended
STUCK = 900                     # seconds beyond what was asked for


class Wrong(Exception):
    pass


def patiently(fn, *args, errors=(errno.EBUSY,)):
    """Whoever looks at a device, or has suspended the store, is done in a moment."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return fn(*args)
        except OSError as e:
            if e.errno not in errors or time.monotonic() > end:
                raise
            time.sleep(0.02)


def message(*words):
    return patiently(agent.do_message, 'st', *words)


def wrong_block(device, model, area):
    """The first block of the area that is not one of those that the model has for it."""
    content = device.read(area * BLOCK, AREA * BLOCK)
    for i in range(AREA):
        have = content[i * BLOCK:(i + 1) * BLOCK]
        allowed = model.get(area + i, (0,))
        for seed in allowed:
            if have == (blk.data(seed, (area + i) * BLOCK, BLOCK) if seed else bytes(BLOCK)):
                break
        else:
            return area + i, allowed
    return None


def compare(what, path, model, areas):
    device = blk.Device(path, write=False)
    try:
        for area in areas:
            bad = wrong_block(device, model, area)
            if bad:
                raise Wrong('%s: block %d has none of %s' % (what, *bad))
    finally:
        device.close()


class Volume:
    """LOCKS: life, of what is done to the device; inside io, of who uses it; inside, state."""

    def __init__(self, name, r, origin):
        self.name = self.device_name = name
        self.origin = origin or '-'
        self.life, self.io, self.state = threading.Lock(), threading.Lock(), threading.Lock()
        end = SECTORS // 8 - AREA
        # Across clusters and leaves, somewhere, and both ends.
        self.areas = sorted({0, end} | {r.randrange(1, end >> 13) * 8192 +
                                        r.choice((-20, 12, 0, 4096)) for _ in range(AREAS - 2)})
        self.content = {}       # by block: the seeds that it may have
        self.checkpoints = {}   # by name: the same
        self.flying = None      # blocks and seed of a write
        self.takes = []         # of those under way: what was written meanwhile
        self.device = None

    def table(self):
        return '/dev/mapper/st %s %s' % (self.name, self.origin)

    def open(self):
        patiently(agent.do_create, self.device_name, SECTORS, 'ckpt', self.table())
        self.device = blk.Device(agent.node(self.device_name))

    def close(self):
        self.device.close()
        patiently(agent.do_remove, self.device_name)

    def write(self, first, count, seed):
        with self.state:
            self.flying = range(first, first + count), seed
        if seed:
            content = blk.data(seed, first * BLOCK, count * BLOCK)
            # Not by another descriptor: the device may have another name by now.
            self.device.write(first * BLOCK, content, 0 if seed % 16 else os.RWF_DSYNC)
        else:
            self.device.discard(first * BLOCK, count * BLOCK)
        with self.state:
            for take in self.takes:
                take.append(self.flying)
            for block in self.flying[0]:
                self.content[block] = (seed,)
            self.flying = None

    def begin_take(self):
        with self.state:
            self.takes.append([self.flying] if self.flying else [])
            return dict(self.content), self.takes[-1]

    def end_take(self, content, take):
        """What the checkpoint holds: where something was written meanwhile, either."""
        with self.state:
            # By its identity: several may be equal.
            self.takes = [t for t in self.takes if t is not take]
            if self.flying:
                take.append(self.flying)
        for blocks, seed in take:
            for block in blocks:
                content[block] = content.get(block, (0,)) + (seed,)
        return content


class Group:
    """The volumes of one process, and its threads."""

    def __init__(self, number, folder, seconds, seed, origins):
        self.number, self.folder = number, folder
        self.random = random.Random(seed * 100 + number)
        self.seconds = seconds
        self.stop = threading.Event()
        self.failures = []
        self.counts = collections.Counter()
        self.seed = number * 1000000
        self.names = 0
        self.volumes = [Volume('v%d' % (number * VOLUMES + i), self.random,
                               origins[number] if i == 0 and number < len(origins) else None)
                        for i in range(VOLUMES)]

    def prepare(self):
        for v in self.volumes:
            if v.origin != '-':
                device = blk.Device(v.origin)
                for area in v.areas:
                    device.write(area * BLOCK, blk.data(7, area * BLOCK, AREA * BLOCK))
                    v.content.update((area + i, (7,)) for i in range(AREA))
                device.close()
                message('adopt_volume', v.name, str(SECTORS))
            else:
                message('create_volume', v.name, str(SECTORS))
            v.open()

    # ---- what a file system or a guest does ----

    def write(self, r):
        v = r.choice(self.volumes)
        # Near each other for a while, as nodes of the map are what takes the space.
        near = v.areas[int(time.monotonic() / 4) * 3 % len(v.areas):][:3]
        area = r.choice(near if r.random() < 0.9 else v.areas)
        count = min(r.choice((1, 1, 2, 9, AREA)), AREA)
        first = area + r.randrange(AREA - count + 1)
        with v.io:
            with v.state:
                self.seed += 1
                seed = self.seed if r.random() < 0.9 else 0
            v.write(first, count, seed)
            self.counts['writes'] += 1
            if r.random() < 0.2:
                bad = wrong_block(v.device, v.content, r.choice(v.areas))
                if bad:
                    raise Wrong('head of %s: block %d has none of %s' % (v.name, *bad))

    # ---- what is done to checkpoints ----

    def count(self):
        return sum(len(v.checkpoints) for v in self.volumes)

    def any_checkpoint(self, r):
        having = [v for v in self.volumes if v.checkpoints]
        v = r.choice(having)
        return v, r.choice(sorted(v.checkpoints))

    def take(self, r):
        some = r.sample(self.volumes, VOLUMES if self.count() < CHECKPOINTS else r.choice((1, 3)))
        self.names += 1
        name = 'c%d' % self.names
        begun = [v.begin_take() for v in some]
        message('checkpoint', name, 'standard', *(v.name for v in some))
        for v, b in zip(some, begun):
            v.checkpoints[name] = v.end_take(*b)

    def delete(self, r):
        some = {self.any_checkpoint(r) for _ in range(r.choice((1, 4, 12)))}
        # What goes into the base is the oldest.
        first = self.volumes[0]
        if first.checkpoints:
            some.add((first, min(first.checkpoints, key=lambda name: int(name[1:]))))
        if self.count() - len(some) < CHECKPOINTS:
            return
        message('delete_checkpoint', *('%s@%s' % s for s in ((v.name, n) for v, n in some)))
        for v, name in some:
            del v.checkpoints[name]
        self.counts['deleted'] += len(some)

    def view(self, r):
        v, name = self.any_checkpoint(r)
        self.look_at(v, name, r.sample(v.areas, 5))

    def look_at(self, v, name, areas):
        device = 'view%d' % self.number
        patiently(agent.do_create, device, SECTORS, 'ckpt',
                  '/dev/mapper/st %s@%s %s' % (v.name, name, v.origin), 'ro')
        try:
            compare('view of %s@%s' % (v.name, name), agent.node(device), v.checkpoints[name],
                    areas)
        finally:
            patiently(agent.do_remove, device)

    def go_back(self, r):
        v, name = self.any_checkpoint(r)
        with v.life, v.io:
            v.close()
            message('apply', '%s@%s' % (v.name, name))
            v.content = dict(v.checkpoints[name])
            v.open()

    def clone(self, r):
        v, name = self.any_checkpoint(r)
        if v.origin != '-':
            return
        twin = Volume('twin%d' % self.number, r, None)
        twin.areas, twin.content = v.areas, dict(v.checkpoints[name])
        message('clone', '%s@%s' % (v.name, name), twin.name)
        twin.open()
        for area in r.sample(twin.areas, 2):
            twin.write(area, AREA // 2, 7)
        compare('clone of %s@%s' % (v.name, name), agent.node(twin.name), twin.content,
                r.sample(twin.areas, 4))
        twin.close()
        message('delete_volume', twin.name)

    def administrate(self, r):
        if self.count() < CHECKPOINTS:
            what = self.take
        else:
            what = r.choice((self.take, self.take, self.delete, self.delete, self.delete, self.view,
                             self.view, self.go_back, self.clone))
        what(r)
        self.counts[what.__name__] += 1

    # ---- what is done to devices ----

    def suspend(self, v, r):
        agent.do_suspend(v.device_name, *r.sample(('noflush', 'nolockfs'), r.randrange(3)))
        time.sleep(r.random() / 10)
        agent.do_resume(v.device_name)

    # No table is cleared here: in a kernel that measures devices for IMA, such as Debian's 6.1, to
    # rename a device and then to clear its table frees memory twice, whatever its targets are.
    def reload(self, v, r):
        agent.do_load(v.device_name, SECTORS, 'ckpt', v.table())
        agent.do_resume(v.device_name)

    def rename(self, v, r):
        new = v.name + r.choice(('', '-new'))
        if new != v.device_name:
            agent.do_rename(v.device_name, new)
            v.device_name = new

    def reopen(self, v, r):
        with v.io:
            v.close()
            v.open()

    def disturb(self, r):
        v = r.choice(self.volumes)
        what = r.choice((self.suspend, self.reload, self.rename, self.reopen))
        with v.life:
            what(v, r)
        self.counts[what.__name__] += 1
        time.sleep(r.random() / 5)

    # ----

    def ready(self):
        """There have been enough checkpoints in all of the processes at once."""
        if self.count() >= CHECKPOINTS:
            open(os.path.join(self.folder, 'enough%d' % self.number), 'w').close()
        return all(os.path.exists(os.path.join(self.folder, 'enough%d' % i)) for i in range(GROUPS))

    def forever(self, fn, r):
        try:
            while not self.stop.is_set():
                fn(r)
        except Exception as e:          # the others are to be told, whatever it is
            self.failures.append('%s: %s: %s' % (fn.__name__, type(e).__name__, e))
            self.stop.set()

    def run(self):
        self.prepare()
        threads = [threading.Thread(target=self.forever,
                                    args=(fn, random.Random(self.random.random())))
                   for fn in (self.write, self.write, self.administrate, self.disturb)]
        for t in threads:
            t.start()
        while not self.stop.is_set() and not self.ready():
            time.sleep(0.2)
        self.stop.wait(self.seconds)
        self.stop.set()
        for t in threads:
            t.join()
        if not self.failures:
            self.finish()

    def finish(self):
        for v in self.volumes:
            compare('head of ' + v.name, agent.node(v.device_name), v.content, v.areas)
        for _ in range(8):
            self.view(self.random)
        for v in self.volumes:
            v.close()
        with open(os.path.join(self.folder, 'model%d' % self.number), 'wb') as f:
            pickle.dump([(v.name, v.origin, v.areas, v.content, v.checkpoints)
                         for v in self.volumes], f)


def look(path):
    """As udev does: both ends of it."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        size = os.lseek(fd, 0, os.SEEK_END)
        page = mmap.mmap(-1, 4096)
        for at in (0, size - 4096) if size else ():
            os.preadv(fd, [page], at)
    finally:
        os.close(fd)


def bother(folder, store, seed):
    """Look at all devices, and do to the store what nobody asked for, until told to stop."""
    r = random.Random(seed)
    names, looks, turns = [], 0, 0
    while not os.path.exists(os.path.join(folder, 'stop')):
        if not names:
            names = agent.devices()
            r.shuffle(names)
        try:
            look(agent.node(names.pop()))
            looks += 1
        except OSError as e:            # gone, or not there yet
            if e.errno not in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
                raise
        if looks % 24 == 0:
            what = r.randrange(4)
            turns += 1
            if what == 0:
                agent.do_suspend('st')
                time.sleep(r.random() / 5)
            elif what == 1:
                start, sectors, target, words = store.split(' ', 3)
                agent.do_load('st', sectors, target,
                              '%s 2 cache_mb %d' % (words, r.choice((8, 16, 64))))
            if what < 2:
                agent.do_resume('st')
            else:
                agent.do_status('st')
                agent.do_pages('st', 'list')
        time.sleep(0.02)
    print('# %d looks at devices, %d at the store' % (looks, turns), flush=True)


def child(fn):
    """In a process of its own: it says what is wrong, and its status whether something is."""
    pid = os.fork()
    if pid:
        return pid
    # The numbers of its descriptors are its own; the kernel's device keeps no state for them.
    status = 1
    try:
        status = fn()
    except BaseException as e:          # nothing may get past this, into what our parent does
        print('# %s: %s' % (type(e).__name__, e), flush=True)
    finally:
        os._exit(1 if status else 0)


def run_group(*args):
    group = Group(*args)
    group.run()
    for f in group.failures:
        print('# group %d: %s' % (group.number, f))
    counts = ', '.join('%s %d' % c for c in sorted(group.counts.items()))
    print('# group %d: %s' % (group.number, counts), flush=True)
    return group.failures


def listed():
    """The names of volumes and <volume>@<checkpoint> in the store."""
    words = [line.split() for line in agent.pages('st', 'list')]
    volume = {w[2]: w[3] for w in words if w[0] == 'volume'}
    return set(volume.values()) | {'%s@%s' % (volume[w[4]], w[3])
                                   for w in words if w[0] == 'checkpoint'}


def models(folder):
    for number in range(GROUPS):
        with open(os.path.join(folder, 'model%d' % number), 'rb') as f:
            yield from pickle.load(f)


def same_names(folder):
    wanted = set()
    for name, _, _, _, checkpoints in models(folder):
        wanted |= {name} | {'%s@%s' % (name, c) for c in checkpoints}
    have = listed()
    if have != wanted:
        raise Wrong('missing: %s; too many: %s' % (sorted(wanted - have)[:5],
                                                   sorted(have - wanted)[:5]))
    return len(wanted)


def run(folder, seconds, seed, origins):
    table = agent.do_table('st')
    groups = [child(lambda i=i: run_group(i, folder, seconds, seed, origins))
              for i in range(GROUPS)]
    pest = child(lambda: bother(folder, table, seed))
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in groups)
    open(os.path.join(folder, 'stop'), 'w').close()
    failed += os.waitpid(pest, 0)[1] != 0
    if not failed:
        print('# %d volumes and checkpoints' % same_names(folder))
    return failed


def check(folder, seed):
    r = random.Random(seed)
    same_names(folder)
    for name, origin, areas, content, checkpoints in models(folder):
        some = r.sample(sorted(checkpoints), min(1, len(checkpoints)))
        for view, model in (name, content), *(('%s@%s' % (name, c), checkpoints[c]) for c in some):
            agent.do_create('look', SECTORS, 'ckpt', '/dev/mapper/st %s %s' % (view, origin),
                            'ro' if '@' in view else 'rw')
            try:
                compare(view, agent.node('look'), model, areas)
            finally:
                agent.do_remove('look')
    return 0


def open_origins(folder):
    """Have the volumes with an origin open, so that what goes into their bases can; says them."""
    for name, origin, *_ in models(folder):
        if origin:
            agent.do_create('open-' + name, SECTORS, 'ckpt', '/dev/mapper/st %s %s' % (name, origin))
            print('open-' + name)
    return 0


def main():
    command, folder, seconds, seed = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
    faulthandler.dump_traceback_later(seconds + STUCK, exit=True)
    if command == 'check':
        return check(folder, seed)
    if command == 'open':
        return open_origins(folder)
    return run(folder, seconds, seed, sys.argv[5:])


if __name__ == '__main__':
    sys.exit(1 if main() else 0)
