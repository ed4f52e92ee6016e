#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What the gate compares: a line for each cell of dm-ckpt, and what one transfer takes there; and for
dm-linear, which shows what has become of the kernel. The least of the repetitions: a timer's tick or
a commit in between only add to one. And how many commits 1,000 fsyncs of four writers take, that
come back one by one."""

import sys

sys.dont_write_bytecode = True

import counting     # noqa: E402
import machine      # noqa: E402
import systems      # noqa: E402
from scenarios import fsync     # noqa: E402

WRITERS = 4


def cells():
    for _, direction, _, values in counting.plain([systems.Linear]):
        yield 'linear', direction, None, values
    yield from counting.plain([systems.CkptThrough])
    yield from counting.checkpointed([systems.Ckpt])
    yield from counting.chain([1, 256])


machine.ram_disks(2, 256)
for situation, direction, _, values in cells():
    print('%s-%s %.0f' % (situation.replace(' ', '-'), direction, min(values)), flush=True)
print('commits-of-%d %.0f' % (WRITERS, 1000 * fsync.commits_of(WRITERS)))
