#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Memory of real guests: captured while they run, and given back, whatever goes wrong."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guest import DRIVER, IMPATIENT, Guest, Monitor, Points, driver, said, until  # noqa: E402

point = Points()
# What the driver runs while the guest stands still: note all of its memory.
NOTE = ("import sys; sys.path.insert(0, sys.argv[1]); from guest import *; m = Monitor(sys.argv[2]);"
        "m('pmemsave', val=0, size=RAM, filename=sys.argv[3])")
HAS_KVM = {b'"enabled": false': b'"enabled": true'}
HERE = os.path.dirname(os.path.abspath(__file__))


def note(guest, name):
    """A monitor has one client at a time, so the test lets go of its own."""
    guest.monitor.close()
    return f'python3 -c "{NOTE}" {HERE} {guest.path("b")} {guest.path(name)}'


def again(guest):
    guest.monitor = Monitor(guest.path("b"))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def left(guest):
    return [n for n in os.listdir(guest.folder) if n.startswith("image")]


def give_back(image, then, what, *more):
    """Paused, memory is what it was then to the last byte; told to run, it counts on from there."""
    guest = Guest(*more, incoming=True)
    point(said(driver("paused", guest.path("a"), image))[0] == 0, f"{what}: QEMU takes it back")
    point(guest.memory() == then, f"{what}: memory is what it was at that instant, all of it")
    guest.end()
    guest = Guest(*more, incoming=True)
    said(driver("restore", guest.path("a"), image))
    point(guest.status() == "running" and guest.counts(), f"{what}: the guest counts on")
    count = int.from_bytes(then[0x600:0x604], "little")
    numbers = guest.serial()
    point(numbers and 0 <= numbers[0] - count <= 512, f"{what}: from where it was")
    guest.end()


def capture(what, way, *more):
    guest = Guest(*more)
    guest.counts()
    bandwidth = guest.monitor("query-migrate-parameters")["max-bandwidth"]
    time.sleep(random.random())
    code, text = said(driver("capture", guest.path("a"), guest.path("image"), note(guest, "then")))
    again(guest)
    point(code == 0 and f"way {way} " in text, f"{what}: captured, {way}")
    point(guest.status() == "running" and guest.counts(), f"{what}: the guest runs on")
    point(left(guest) == ["image"], f"{what}: there is an image and nothing else")
    on = {c["capability"] for c in guest.monitor("query-migrate-capabilities") if c["state"]}
    point(not on & {"background-snapshot", "pause-before-switchover"}, f"{what}: QEMU is as it was")
    point(guest.monitor("query-migrate-parameters")["max-bandwidth"] == bandwidth,
          f"{what}: and may write as fast as before")
    if code == 0:
        give_back(guest.path("image"), read(guest.path("then")), what, *more)
    return guest


def early():
    """QEMU gets ready before the guest is stopped, and who has told it may be killed then."""
    guest = Guest()
    guest.counts()
    code, text = said(driver("capture", guest.path("a"), guest.path("image")))
    guest.status()
    events = guest.monitor.events
    point(code == 0 and " early 1 " in text, "it was ready before the guest was stopped")
    point(("MIGRATION", "setup") in events and ("STOP", None) in events and
          events.index(("MIGRATION", "setup")) < events.index(("STOP", None)), "which QEMU says, too")
    os.unlink(guest.path("image"))
    code, text = said(driver("capture", Proxy(guest).path, guest.path("image")))
    point(code == 0 and " early 0 " in text, "a QEMU that is not there to be looked at: not waited for")
    os.unlink(guest.path("image"))
    process = driver("capture", guest.path("a"), guest.path("image"), CKPTD_KILL_AT="held")
    code, text = said(process)
    point(code == -signal.SIGKILL, "the driver killed as QEMU waits")
    point(until(lambda: guest.monitor("query-migrate").get("status") == "completed"),
          "what it waits with is read away")
    point(guest.status() == "running" and guest.counts(), "and the guest runs on")
    point(not left(guest), "and nothing is left")
    guest.end()


def damaged(guest):
    image = bytearray(read(guest.path("image")))
    image[len(image) // 2] ^= 1
    with open(guest.path("rotten"), "wb") as f:
        f.write(image)
    other = Guest(incoming=True)
    code, text = said(driver("restore", other.path("a"), guest.path("rotten")))
    point(code == 8 and "checksum" in text, "a damaged image is refused")
    point(not other.serial(), "and nothing of that guest ever ran")
    other.end()


def refuse(guest, what, code, text, expected, but="\n"):
    point(code != 0 and expected in text and but not in text, f"{what}: said so")
    point(guest.status() == "running" and guest.counts(), f"{what}: the guest runs on")
    point(not left(guest), f"{what}: nothing is left")


def failures():
    guest = Guest()
    guest.counts()
    a, image = guest.path("a"), guest.path("image")
    refuse(guest, "disks that fail", *said(driver("capture", a, image, "false")), "disks")
    refuse(guest, "cancelled at once", *said(driver("capture", a, image, "true", "0")), "cancelled")
    for ms in 20, 60, 120:
        code, text = said(driver("capture", a, image, "sleep 0.1", str(ms)))
        point(code == 0 or "cancelled" in text, f"cancelled after {ms} ms, or just done")
        point(guest.status() == "running" and guest.counts(), "the guest runs on")
        point(code == 0 or not left(guest), "nothing is left")
        if code == 0:
            os.unlink(image)
    limited = ["sh", "-c", f"trap '' XFSZ; ulimit -f 16; exec {DRIVER} capture {a} {image} true"]
    process = subprocess.Popen(limited, stdout=subprocess.PIPE, text=True)
    refuse(guest, "an image that does not fit", *said(process), "cannot be written")
    # The one that takes it dies: nobody is left to read what QEMU writes.
    process = driver("capture", a, image, "sleep 0.5")
    time.sleep(0.8)
    process.kill()
    said(process)
    if guest.status() == "paused":
        guest.monitor("cont")
    point(guest.status() == "running" and guest.counts(), "the driver killed: the guest runs on")
    guest.end()


def slow_end():
    """What is left of a snapshot that has failed takes longer to be read away than a guest may stand still."""
    with tempfile.NamedTemporaryFile() as data:
        data.write(os.urandom(64 << 20))
        data.flush()
        guest = Guest("-m", "128", "-device", f"loader,file={data.name},addr=0x2000000,force-raw=on")
    guest.counts()
    process = driver("capture", guest.path("a"), guest.path("image"), "false", program=IMPATIENT)
    until(lambda: guest.monitor("query-migrate").get("status") == "active", 20)
    guest.monitor("migrate-set-parameters", **{"max-bandwidth": 8 << 20})
    refuse(guest, "disks that fail, and a slow QEMU", *said(process), "disks", "cannot be brought")
    guest.end()


def killed():
    guest = Guest()
    guest.counts()
    process = driver("capture", guest.path("a"), guest.path("image"), f"kill -9 {guest.process.pid}")
    code, text = said(process)
    point(code != 0 and "may have ended" in text, "QEMU killed in the middle: said so")
    point(not left(guest), "QEMU killed in the middle: nothing is left")
    guest.end()


class Proxy:
    """Between the driver and the monitor: cuts the first connection after a command, or has
    QEMU say something else than it does, as {what: instead}, from a command on."""

    def __init__(self, guest, after=None, says=(), since=None):
        self.path, self.to, self.after = guest.path("proxy"), guest.path("a"), after
        self.says, self.since = dict(says), since
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        cut = self.after is not None
        while True:
            client, _ = self.listener.accept()
            qemu = socket.socket(socket.AF_UNIX)
            qemu.connect(self.to)
            threading.Thread(target=self.back, args=(qemu, client), daemon=True).start()
            while message := socket.recv_fds(client, 65536, 1):
                data, fds = message[0], message[1]
                if not data:
                    break
                socket.send_fds(qemu, [data], fds)
                for fd in fds:
                    os.close(fd)
                if self.since and b'"%s"' % self.since.encode() in data:
                    self.since = None
                if cut and b'"%s"' % self.after.encode() in data:
                    cut = False
                    time.sleep(0.2)
                    break
            for s in client, qemu:
                s.shutdown(socket.SHUT_RDWR)
                s.close()

    def back(self, qemu, client):
        try:
            while data := qemu.recv(65536):
                for what, instead in () if self.since else self.says.items():
                    data = data.replace(what, instead)
                client.sendall(data)
        except OSError:
            pass


def cut():
    for command in "query-status", "getfd", "migrate", "stop":
        guest = Guest()
        guest.counts()
        proxy = Proxy(guest, command)
        # What is done to the disks takes longer than the monitor lives.
        code, text = said(driver("capture", proxy.path, guest.path("image"), "sleep 1"))
        refuse(guest, f"a monitor that closes after '{command}'", code, text, "monitor")
        guest.end()


def stopped_again():
    """By somebody else, as soon as it runs again: that is his affair."""
    guest = Guest()
    guest.counts()
    stamp = b', "timestamp": {"seconds": 1, "microseconds": 0}}'
    proxy = Proxy(guest, says={b'"event": "RESUME"}': b'"event": "RESUME"}\r\n{"event": "STOP"' + stamp})
    code, text = said(driver("capture", proxy.path, guest.path("image"), "true"))
    point(code == 0 and "way background " in text, "a guest that is stopped once more by another: captured")
    guest.end()
    # As one whose disk is full does, however often it is told to.
    guest = Guest()
    guest.counts()
    proxy = Proxy(guest, says={b'"status": "running"': b'"status": "io-error"'}, since="cont")
    refuse(guest, "a guest that runs, and stops for its disk", *said(driver("capture", proxy.path, guest.path("image"), "false")), "were not taken", "cannot be brought")
    guest.end()


def has_kvm():
    try:
        guest = Guest(accel="kvm")
    except (OSError, ValueError):
        return False
    counts = guest.counts()
    guest.end()
    return counts


def live(what, accel, program=DRIVER, kvm=False):
    """While it runs, in more than one pass.  With KVM, memory is what it was to the last byte."""
    with tempfile.NamedTemporaryFile() as data:
        data.write(os.urandom(64 << 20))
        data.flush()
        more = ("-m", "128", "-object", "memory-backend-file,id=ram,size=128M,share=on,"
                f"mem-path={tempfile.gettempdir()}", "-machine", "pc,memory-backend=ram",
                "-device", f"loader,file={data.name},addr=0x2000000,force-raw=on")
        guest = Guest(*more, accel=accel)
        guest.counts()
        guest.monitor("migrate-set-parameters", **{"downtime-limit": 1})
        taking = note(guest, "then").replace("RAM", str(128 << 20))
        again(guest)
        path = Proxy(guest, says=HAS_KVM).path if kvm else guest.path("a")
        process = driver("capture", path, guest.path("image"), taking, program=program)
        until(lambda: guest.monitor("query-migrate").get("status") == "active", 20)
        guest.monitor("migrate-set-parameters", **{"max-bandwidth": 32 << 20})
        guest.monitor.close()
        code, text = said(process)
        again(guest)
        point(code == 0 and "way live " in text, f"{what}: captured, live")
        point(("faster than" in text) == (program != DRIVER), f"{what}: stopped for the rest, or not")
        point(guest.status() == "running" and guest.counts(), f"{what}: the guest runs on")
        point(left(guest) == ["image"], f"{what}: there is an image and nothing else")
        other = Guest(*more, incoming=True, accel=accel)
        point(said(driver("paused", other.path("a"), guest.path("image")))[0] == 0,
              f"{what}: QEMU takes it back")
        if accel == "kvm":
            then, now = read(guest.path("then")), other.memory(size=128 << 20)
            # There is QEMU's own option ROM for the APIC, which it writes to as it loads.
            point(len(then) == 128 << 20 and then[:0xe8000] == now[:0xe8000] and
                  then[0xe9000:] == now[0xe9000:], f"{what}: memory is what it was at that instant")
        other.monitor("cont")
        point(other.counts(), f"{what}: and the guest counts on")
        other.end()
        guest.end()


def serve(guest, words):
    """A monitor that says just this, to whoever comes."""
    path = guest.path("false")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def run():
        client, _ = listener.accept()
        if words:
            try:
                client.sendall(words)
            except OSError:
                pass
        time.sleep(30)
    threading.Thread(target=run, daemon=True).start()
    return path


def strange():
    greeting = json.dumps({"QMP": {"version": {}, "capabilities": []}}).encode()
    for what, words, expected in (
            ("says nothing", None, "libvirt"), ("is none", b"220 smtp ready\r\n", "not JSON"),
            ("is another's", b'{"hello": 1}\n', "no monitor"),
            ("never ends", greeting + b'{"a": "' + b"x" * (2 << 20), "too much"),
            ("nests", greeting + b'{"a":' * 100, "not JSON")):
        guest = Guest()
        path = serve(guest, words)
        code, text = said(driver("capture", path, guest.path("image")))
        point(code != 0 and expected in text and not left(guest), f"a monitor that {what}: given up")
        guest.end()


running = capture("a guest", "background")
damaged(running)
running.end()
# QEMU refuses background snapshots with memory that is shared with others.
shared = ("-object", f"memory-backend-file,id=ram,size=32M,mem-path={tempfile.gettempdir()},share=on",
          "-machine", "pc,memory-backend=ram")
capture("shared memory", "stopped", *shared).end()
early()
live("live as if by KVM", "tcg", kvm=True)
live("live without patience", "tcg", IMPATIENT, kvm=True)
if has_kvm():
    live("live", "kvm")
    live("live by KVM without patience", "kvm", IMPATIENT)
else:
    print("# no KVM here: that live memory is exact is not shown")
failures()
slow_end()
killed()
cut()
stopped_again()
strange()
point.end()
