# SPDX-License-Identifier: GPL-2.0-only
"""Guests of a boot sector that counts, their monitors, and the points of a test."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("CKPT_VM_BUILD", os.path.join(os.path.dirname(__file__), "../../build/tests/vm"))
DRIVER = os.path.abspath(os.path.join(BUILD, "driver"))
IMPATIENT = os.path.abspath(os.path.join(BUILD, "impatient"))
IMAGE = os.path.abspath(os.path.join(BUILD, "guest.img"))
RAM = 32 << 20


def until(condition, seconds=60):
    """What condition() says, as soon as that is true; or the last thing it said."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


class Monitor:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.file = self.socket.makefile("rw")
        self.file.readline()
        self.events = []
        self("qmp_capabilities")

    def __call__(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "event" not in answer:
                return answer.get("return", answer)
            self.events.append((answer["event"], answer.get("data", {}).get("status")))

    def close(self):
        self.file.close()
        self.socket.close()


class Guest:
    """In a folder of its own: sockets "a" for the driver and "b" for the test."""

    def __init__(self, *more, image=IMAGE, incoming=False, accel="tcg"):
        self.folder = tempfile.mkdtemp(prefix="ckpt-guest-")
        words = ["qemu-system-x86_64", "-accel", accel, "-m", str(RAM >> 20), "-display", "none",
                 "-nodefaults", "-no-user-config", "-serial", f"file:{self.path('serial')}",
                 "-drive", f"file={image},format=raw,if=ide,snapshot=on"]
        for name in "a", "b":
            words += ["-qmp", f"unix:{self.path(name)},server=on,wait=off"]
        if incoming:
            words += ["-incoming", "defer", "-S"]
        with open(self.path("log"), "w", encoding="utf8") as log:
            self.process = subprocess.Popen(words + list(more), stdout=log, stderr=log)
        until(lambda: os.path.exists(self.path("b")))
        time.sleep(0.1)
        self.monitor = Monitor(self.path("b"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def serial(self):
        """The numbers that it has said; one that began elsewhere is not whole."""
        try:
            with open(self.path("serial"), encoding="ascii") as f:
                return [int(line, 16) for line in f.read().split("\n")[:-1] if len(line) == 8]
        except FileNotFoundError:
            return []

    def counts(self):
        before = len(self.serial())
        return until(lambda: len(self.serial()) > before + 2)

    def status(self):
        return self.monitor("query-status")["status"]

    def memory(self, name="now", size=RAM):
        self.monitor("pmemsave", val=0, size=size, filename=self.path(name))
        with open(self.path(name), "rb") as f:
            return f.read()

    def end(self):
        self.monitor.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


def driver(*words, program=DRIVER, **environ):
    return subprocess.Popen([program, *words], stdout=subprocess.PIPE, text=True,
                            env={**os.environ, **environ})


def said(process, seconds=120):
    """Its exit code and the line it has said."""
    try:
        text = process.communicate(timeout=seconds)[0].strip()
    except subprocess.TimeoutExpired:
        process.kill()
        text = "it never ended: " + process.communicate()[0]
    print("# " + text)
    return process.returncode, text


class Points:
    def __init__(self):
        self.count = self.failed = 0

    def __call__(self, good, name):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)

    def end(self):
        print(f"1..{self.count}")
        sys.exit(self.failed > 0)
