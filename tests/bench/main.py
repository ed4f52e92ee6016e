#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""usage: main.py [--quick] [--repeat N] [--counting | --here] [--json FILE]
       [--alone-after FILE] [SCENARIO]...

Measure in the test machine, print a table, and leave the same as JSON. A scenario
is a module in scenarios/ with a function run(bench), which calls bench.add(); those
in here/ need no test machine.

Everything is repeated, and a number is the median. In an emulated machine only
ratios within one run mean something, so each repetition measures what is compared
one right behind the other, and the ratio is the median of the repetitions' ratios.
"""

import argparse
import importlib
import json
import os
import pkgutil
import statistics
import sys
import time
import traceback

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
sys.dont_write_bytecode = True


class Bench:
    def __init__(self, quick, repeat):
        self.quick = quick
        self.repeat = repeat or (3 if quick else 5)
        self.scenario = None
        self.rows = []

    def add(self, system, metric, unit, values, per=None, peer=None, goal=None):
        """The values of all repetitions; @per are those of @peer, and the goal for the ratio of
        one to the other is a least one, or if it is negative, a largest one."""
        middle = statistics.median(values)
        row = {'scenario': self.scenario, 'system': system, 'metric': metric, 'unit': unit,
               'value': middle, 'spread': (max(values) - min(values)) / middle if middle else 0,
               'ratio_to_linear': None}
        if per:
            if peer == 'dm-linear':
                row['ratio_to_linear'] = statistics.median(values) / statistics.median(per)
            row['ratio_to_peer'] = statistics.median(a / b for a, b in zip(values, per))
            row['peer'] = peer
        if goal:
            row['goal'] = ('>= %g' if goal > 0 else '<= %g') % abs(goal)
            row['met'] = (row['ratio_to_peer'] >= goal if goal > 0 else
                          row['ratio_to_peer'] <= -goal)
        self.rows.append(row)
        return row


def number(value):
    return '%.0f' % value if value >= 100 else '%.3g' % value


WIDTHS = (17, 19, 30, 8, 7, 9, 6, 18, 6, 3)
RIGHT = {3, 4, 6}


def line(*words):
    print('  '.join(word.rjust(w) if i in RIGHT else word.ljust(w)
                    for i, (word, w) in enumerate(zip(words, WIDTHS))).rstrip(), flush=True)


def table(rows):
    last = None
    for r in rows:
        ratio = r.get('ratio_to_peer')
        met = {True: 'yes', False: 'NO', None: ''}[r.get('met')]
        line(r['scenario'] if r['scenario'] != last else '', r['system'], r['metric'],
             number(r['value']), '%.0f %%' % (100 * r['spread']), r['unit'],
             '' if ratio is None else '%.2f' % ratio, r.get('peer', ''), r.get('goal', ''), met)
        last = r['scenario']


def save(rows, path):
    with open(path, 'w') as f:
        json.dump(rows, f, indent=1)
        f.write('\n')


def modules_of(folder):
    return [m.name for m in pkgutil.iter_modules([os.path.join(here, folder)])]


def load_modules(folder):
    return {name: importlib.import_module(folder + '.' + name) for name in modules_of(folder)}


def main():
    names = sorted(modules_of('scenarios') + modules_of('here'))
    parser = argparse.ArgumentParser(description='Measure dm-ckpt in the test machine.')
    parser.add_argument('--quick', action='store_true', help='less of everything')
    parser.add_argument('--repeat', type=int, metavar='N', help='so often (5, or 3 if quick)')
    parser.add_argument('--json', metavar='FILE', help='leave the rows there')
    parser.add_argument('--counting', action='store_true',
                        help='those that want a machine which counts instructions; else the others')
    parser.add_argument('--here', action='store_true',
                        help='those that need no test machine')
    parser.add_argument('scenario', nargs='*', help='of ' + ' '.join(names))
    parser.add_argument('--alone-after', metavar='FILE',
                        help='those that want the machine to themselves begin when there is one')
    args = parser.parse_args()
    if unknown := set(args.scenario) - set(names):
        parser.error('no such scenario: ' + ' '.join(sorted(unknown)))

    modules = load_modules('here' if args.here else 'scenarios')
    machine = None if args.here else importlib.import_module('machine')
    bench = Bench(args.quick, args.repeat)
    broken = False
    line('scenario', 'system', 'metric', 'value', 'spread', 'unit', 'ratio', 'to', 'goal', 'met')
    for name in args.scenario or names:
        if name not in modules or getattr(modules[name], 'COUNTING', False) != args.counting:
            continue
        while args.alone_after and getattr(modules[name], 'ALONE', False) and \
                not os.path.exists(args.alone_after):
            time.sleep(1)
        before = len(bench.rows)
        bench.scenario = name.replace('_', ' ')
        # For whoever has a clock: see tests/bench/run.
        print('bench: begin ' + bench.scenario, file=sys.stderr, flush=True)
        try:
            modules[name].run(bench)
        except Exception:       # the others can still be measured
            traceback.print_exc()
            broken = True
        if machine:
            machine.clean()
        # At once: whoever has seen enough may end it.
        table(bench.rows[before:])
        if args.json:
            save(bench.rows, args.json)
        print('bench: end ' + bench.scenario, file=sys.stderr, flush=True)
    return broken


if __name__ == '__main__':
    sys.exit(main())
