# SPDX-License-Identifier: GPL-2.0-only
"""What fio gets through a device, by target.fio."""

import json
import os
import subprocess

JOB = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'target.fio')
CASES = [('4 KiB random read', 'randread', '4k'), ('4 KiB random write', 'randwrite', '4k'),
         ('1 MiB read', 'read', '1m'), ('1 MiB write', 'write', '1m')]


def start(disk, rw, bs, mib, seconds=0, number=0, jobs=1, offset=0):
    """For so many seconds, or so many transfers; over so many MiB, from that one on."""
    environ = dict(os.environ, BENCH_DISK=disk, BENCH_RW=rw, BENCH_BS=bs,
                   BENCH_OFFSET='%dm' % offset, BENCH_SIZE='%dm' % mib,
                   BENCH_SECONDS='%dms' % (1000 * (seconds or 60)), BENCH_NUMBER=str(number),
                   BENCH_TIMED='0' if number else '1', BENCH_JOBS=str(jobs))
    return subprocess.Popen(['fio', '--output-format=json', JOB], env=environ, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def rate(process, rw):
    """When it has ended: transfers in a second."""
    out = process.communicate()[0]
    if process.returncode:
        raise OSError('fio: ' + out)
    job = json.loads(out[out.index('{'):])['jobs'][0]
    return job['read' if 'read' in rw else 'write']['iops']


def fio(disk, rw, bs, mib, seconds=0, **how):
    return rate(start(disk, rw, bs, mib, seconds, **how), rw)
