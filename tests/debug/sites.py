# SPDX-License-Identifier: GPL-2.0-only
"""Every place of the module that allocates, and how to make it fail.

A place is known by where its call returns to.  In User-Mode Linux a call goes through a register,
so for each call of a register it is looked up which function was put there last.
"""

import re
import subprocess

FAULTS = ['/sys/kernel/debug/failslab/', '/sys/kernel/debug/fail_page_alloc/']
# What allocates, among all that a module calls.
ALLOCATES = re.compile(r'(_*k[mz]alloc|kvmalloc|kmem_cache_alloc|kmem_cache_create|mempool_alloc$|mempool_init'
                       r'|bioset_init|bio_alloc|bio_split|alloc_workqueue|__alloc_percpu|__alloc_pages'
                       r'|__xa_(alloc|insert|store)|xa_(store|insert)|kstrdup|kmemdup|get_free_pages'
                       r'|get_zeroed_page|dm_kcopyd_client_create|register_shrinker|register_target'
                       r'|vmalloc)')


class Site:
    def __init__(self, section, offset, function, callee):
        self.section, self.offset = section, offset
        self.function, self.callee = function, callee
        self.name = function + ' ' + callee

    def address(self):
        with open('/sys/module/dm_ckpt/sections/' + self.section) as f:
            return int(f.read(), 16) + self.offset


def find(ko):
    """All of them, by address; those of one function that call the same are numbered."""
    text = subprocess.run(['objdump', '-dr', '--no-show-raw-insn', ko], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    sites, section, function, held, register, called = [], '', '', {}, None, None
    for line in text.splitlines():
        if m := re.match(r'Disassembly of section (.*):', line):
            section = m[1]
        elif m := re.match(r'[0-9a-f]+ <(.*)>:', line):
            function, held, called = m[1], {}, None
        elif m := re.search(r'R_X86_64_64\s+(\S+)', line):
            if register:
                held[register] = m[1].split('+')[0]
        elif m := re.match(r'\s*([0-9a-f]+):\s+(\S+)\s*(.*)', line):
            address, word, operands = int(m[1], 16), m[2], m[3]
            if called and ALLOCATES.match(called):
                sites.append(Site(section, address, function, called))
            called = register = None
            if word == 'call' and operands.startswith('*%'):
                called = held.get(operands[2:])
            elif word == 'movabs':
                register = operands.split('%')[-1]
                held.pop(register, None)
            elif word in ('mov', 'lea', 'pop', 'add', 'xor'):
                held.pop(operands.split('%')[-1], None)
    count = {}
    for site in sites:
        count.setdefault(site.name, []).append(site)
    for name, same in count.items():
        for i, site in enumerate(same):
            if len(same) > 1:
                site.name = '%s %d' % (name, i + 1)
    return sorted(sites, key=lambda s: (s.section, s.offset))


def put(name, value):
    for folder in FAULTS:
        with open(folder + name, 'w') as f:
            f.write(str(value))


def prepare():
    """Nothing fails yet, but what is asked for would for certain, whoever may sleep."""
    put('times', 0)
    put('verbose', 0)
    put('probability', 100)
    put('task-filter', 'N')
    put('ignore-gfp-wait', 'N')
    for name, value in (('failslab/cache-filter', 'N'), ('fail_page_alloc/min-order', 0),
                        ('fail_page_alloc/ignore-gfp-highmem', 'N')):
        with open('/sys/kernel/debug/' + name, 'w') as f:
            f.write(str(value))


def arm(first, last, times):
    """Allocations fail so often below the calls that return to an address from first to last."""
    put('require-start', hex(first))
    put('require-end', hex(last + 1))
    put('times', times)


def disarm(times):
    """How many have failed."""
    left = 0
    for folder in FAULTS:
        with open(folder + 'times') as f:
            left += int(f.read())
    put('times', 0)
    return len(FAULTS) * times - left
