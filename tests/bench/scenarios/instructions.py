# SPDX-License-Identifier: GPL-2.0-only
"""What one 4 KiB transfer takes, in instructions: without a checkpoint, the first touch after one,
what comes then, and reads through 1, 2, 4 ... 256 layers each with a random tenth of the blocks.
In a machine of its own, that counts; so the figures are the same in every run."""

import counting
import machine
import systems

COUNTING = True
GOALS = {'no checkpoint': 60, 'steady': 250}
DEPTHS = [1, 2, 4, 8, 16, 32, 64, 128, 256]


def add(bench, cells):
    """A goal is so many instructions more than dm-linear, whose cells come first."""
    for situation, direction, system, values in cells:
        linear = bench.linear.setdefault(direction, values) if system == 'dm-linear' else \
            bench.linear.get(direction)
        row = bench.add(system, '%s, %s' % (situation, direction), 'instructions', values,
                        linear, 'dm-linear' if linear else None)
        if linear:
            row['over_linear'] = min(values) - min(linear)
        if system == 'dm-ckpt' and situation in GOALS:
            row['goal'] = '<= +%d' % GOALS[situation]
            row['met'] = row['over_linear'] <= GOALS[situation]


def run(bench):
    machine.ram_disks(2, 512)
    bench.linear = {}
    add(bench, counting.plain())
    # Quick: those of which there are two take the same twice, or three times as long.
    kinds = systems.CHECKPOINTED
    add(bench, counting.checkpointed(
        [systems.Ckpt, systems.Thin, systems.Snapshot] if bench.quick else kinds))
    depths = DEPTHS[::6] if bench.quick else DEPTHS
    first = None
    for situation, direction, system, values in counting.chain(depths):
        first = first or values
        bench.add(system, '%s, %s' % (situation, direction), 'instructions', values, first,
                  'depth 1', -1.03)
    if bench.quick:
        return
    # No more, as each of its layers costs a reader some hundred instructions.
    for situation, direction, system, values in counting.chain(
            depths, [systems.SnapshotChain]):
        bench.add(system, '%s, %s' % (situation, direction), 'instructions', values)
