#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A Linux guest that counts, with the real guest agent: what it boots from, and what it has written.

    linux.py build INIT IMAGE		the initramfs; INIT is linux-guest.c, compiled
    linux.py words SERIAL		what QEMU is to be told, but for disks and the agent's port
    linux.py numbers MEMORY|- DISK1 DISK2
                        "<memory> <disk 1> <disk 2> <wrong>": the last number in each of these
                        files. A ring of which not the last 64 are there says "rotten", what is
                        not found at all "none".

The kernel is one of those that scripts/kernel has; busybox, the agent and its libraries are this
machine's.
"""

import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KERNEL = os.path.join(os.environ.get("CKPT_CACHE", "/var/cache/dm-ckpt"), "kernels", "6.1")
IMAGE = os.path.normpath(os.path.join(HERE, "../../build/tests/vm/linux.img"))
MODULES = "virtio_pci virtio_console virtio_blk ext4"
MARK = 0x636B7074
RING = 64


def run(*words):
    return subprocess.run(words, check=True, text=True, capture_output=True).stdout


def copy(tree, path, to):
    to = os.path.join(tree, to)
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy(path, to)


def build(init, image):
    with tempfile.TemporaryDirectory() as tree:
        for name in "dev", "mnt", "proc", "run", "sys", "tmp", "var/run", "var/local/state":
            os.makedirs(os.path.join(tree, name))
        copy(tree, init, "init")
        copy(tree, "/usr/sbin/qemu-ga", "sbin/qemu-ga")
        for library in re.findall(r"(/\S+) \(0x", run("ldd", "/usr/sbin/qemu-ga")):
            copy(tree, library, library.lstrip("/"))
        # The agent sets the hardware's clock by that.
        copy(tree, "/bin/busybox", "sbin/hwclock")
        with open(os.path.join(KERNEL, "release"), encoding="ascii") as f:
            release = f.read().strip()
        needed = run("modprobe", "-d", KERNEL, "-S", release, "-a", "--show-depends", *MODULES.split())
        for i, path in enumerate(dict.fromkeys(re.findall(r"^insmod (\S+)", needed, re.M))):
            copy(tree, path, f"modules/{i:02}")
        subprocess.run(f"cd {tree} && find . | cpio -o -H newc --quiet >{image}.new", shell=True,
                       check=True)
    os.replace(image + ".new", image)


def words(serial):
    return ["-nodefaults", "-display", "none", "-m", "128", "-cpu", "max,la57=off,cx16=off",
            "-rtc", "base=2020-01-01", "-serial", f"file:{serial}",
            "-kernel", os.path.join(KERNEL, "vmlinux"), "-initrd", IMAGE,
            "-append", "console=ttyS0 loglevel=3 panic=-1 mitigations=off tsc=reliable "
            "no_timer_check cryptomgr.notests audit=0 random.trust_cpu=on rdinit=/init"]


def blocks(path, place):
    mark = struct.pack("<4I", *((MARK + place) * (2 * i + 3) & 0xFFFFFFFF for i in range(4)))
    with open(path, "rb") as f:
        data = f.read()
    at = data.find(mark)
    while at >= 0:
        if at % 4096 == 0:
            yield struct.unpack_from("<2I", data, at + 16)
        at = data.find(mark, at + 16)


def last(path, place):
    counts = sorted(count for count, _ in blocks(path, place))
    if not counts:
        return "none"
    if len(counts) < RING:
        return counts[-1] if counts == list(range(1, len(counts) + 1)) else "rotten"
    return counts[-1] if counts == list(range(counts[-1] - RING + 1, counts[-1] + 1)) else "rotten"


def numbers(memory, disk1, disk2):
    # A page of the page cache or of a bounce buffer is no page of the process: those hold 2 and 3.
    count, wrong = max(blocks(memory, 1), default=("none", 0)) if memory != "-" else ("-", 0)
    return count, last(disk1, 2), last(disk2, 3), wrong


class Linux:
    """Running: socket "agent" is the agent's, "disk" holds the file system and "raw" nothing."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ckpt-linux-")
        run("truncate", "-s", "16M", self.path("disk"), self.path("raw"))
        run("mkfs.ext4", "-q", "-F", "-b", "4096", self.path("disk"))
        qemu = ["qemu-system-x86_64", "-M", "q35,hpet=off,smbus=off,sata=off", "-no-user-config",
                *words(self.path("serial")), "-device", "virtio-serial-pci",
                "-chardev", f"socket,id=agent,path={self.path('agent')},server=on,wait=off",
                "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        for name in "disk", "raw":
            qemu += ["-drive", f"if=none,id={name},format=raw,file={self.path(name)}",
                     "-device", f"virtio-blk-pci,drive={name}"]
        with open(self.path("log"), "w", encoding="utf8") as log:
            self.process = subprocess.Popen(qemu, stdout=log, stderr=log)

    def path(self, name):
        return os.path.join(self.folder, name)

    def said(self):
        """The latest count, and the time then; (0, 0) before there is one."""
        try:
            with open(self.path("serial"), encoding="ascii", errors="replace") as f:
                lines = re.findall(r"^(\d+) (\d+)\r?$", f.read(), re.M)
        except FileNotFoundError:
            lines = []
        return tuple(map(int, lines[-1])) if lines else (0, 0)

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)


if __name__ == "__main__":
    COMMANDS = {"build": build, "numbers": lambda *a: print(*numbers(*a)),
                "words": lambda *a: print(shlex.join(words(*a)).replace("'", '"'))}
    COMMANDS[sys.argv[1]](*sys.argv[2:])
