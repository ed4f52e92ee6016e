#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A real agent in a real guest, which writes to its file system all the time."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest import Points, driver, said, until  # noqa: E402
from linux import IMAGE, Linux, run  # noqa: E402

if not os.path.exists(IMAGE):
    print("1..0 # SKIP no kernel for a guest: scripts/kernel 6.1")
    sys.exit(0)

point = Points()
guest = Linux()


def writes_on(seconds=120):
    before = guest.said()[0]
    return until(lambda: guest.said()[0] > before + 1, seconds)


def journal(image):
    """Is there anything in it?"""
    return "needs_recovery" in run("dumpe2fs", "-h", guest.path(image))


def is_same(one, two):
    return subprocess.run(["cmp", "-s", guest.path(one), guest.path(two)]).returncode == 0


point(until(lambda: guest.said()[0] > 70, 240), "the guest writes")

copies = " && ".join(f"cp {guest.path('disk')} {guest.path(name)} && sleep 1" for name in ("one", "two"))
code, text = said(driver("freeze", guest.path("agent"), "60", copies))
point(code == 0, "its file system is frozen and thawed")
point(is_same("one", "two"), "nothing is written while it is frozen")
point(not journal("one"), "its journal is empty then")
point(subprocess.run(["e2fsck", "-fn", guest.path("one")], capture_output=True, check=False).returncode == 0, "and nothing is to be repaired")
point(writes_on(), "the guest writes on")
run("cp", guest.path("disk"), guest.path("unfrozen"))
point(journal("unfrozen") and not is_same("one", "unfrozen"), "and has something in its journal")

process = driver("freeze", guest.path("agent"), "60", f"touch {guest.path('mark')}; kill -9 $PPID")
process.wait()
point(os.path.exists(guest.path("mark")) and writes_on(), "killed while it is frozen: it is thawed")

point(guest.said()[1] < 1700000000, "its clock is one of long ago")
said(driver("set-time", guest.path("agent")))
point(until(lambda: abs(guest.said()[1] - time.time()) < 120), "its clock is set to this machine's")
guest.end()
point.end()
