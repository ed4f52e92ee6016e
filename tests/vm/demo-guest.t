#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""
The guest of the demo counts, and stands still once it has loaded what an upgrade has put in the
place of its operating system.
"""

import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest import BUILD, Guest, Points, until  # noqa: E402

point = Points()


def image(name):
    with open(os.path.join(BUILD, "demo", name), "rb") as f:
        return f.read()


def stands_still():
    before = len(guest.serial())
    time.sleep(2)
    return len(guest.serial()) == before


with tempfile.NamedTemporaryFile(buffering=0) as disk:
    disk.write(image("guest"))
    disk.truncate(4 << 20)
    guest = Guest(image=disk.name)
    point(until(lambda: len(guest.serial()) >= 100), "it says a hundred numbers")
    point(guest.serial()[:100] == list(range(1, 101)), "which are the first ones")
    disk.seek(0)
    disk.write(image("upgrade"))
    point(until(stands_still), "upgraded, it stands still")
    guest.end()
point.end()
