# SPDX-License-Identifier: GPL-2.0-only
"""QEMU's monitor, and which function an address is in: for what looks at a test machine from
outside."""

import bisect
import json
import socket

USER = 'the program'


class Monitor:
    """What it answers is waited for."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.file = self.socket.makefile('rw')
        self.file.readline()
        self.ask('qmp_capabilities')

    def ask(self, command, **arguments):
        self.file.write(json.dumps({'execute': command, 'arguments': arguments}) + '\n')
        self.file.flush()
        while not {'return', 'error'} & (answer := json.loads(self.file.readline())).keys():
            pass
        if 'error' in answer:
            raise OSError('QEMU: %s: %s' % (arguments, answer['error']))
        return answer['return']

    def read(self, line):
        return self.ask('human-monitor-command', **{'command-line': line})

    def do(self, line):
        """What succeeds without a word."""
        if said := self.read(line):
            raise OSError('QEMU: %s: %s' % (line, said))


def symbols(path):
    """Addresses of functions, ascending, and their names; of what kallsyms says."""
    found = {}
    with open(path) as f:
        for line in f:
            address, kind, name = line.split()[:3]
            if kind in 'tT':
                found.setdefault(int(address, 16), name)
    return sorted(found), found


def function_at(address, addresses, names):
    i = bisect.bisect(addresses, address) - 1
    return names[addresses[i]] if i >= 0 and address >= 1 << 63 else USER
