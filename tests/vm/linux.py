# SPDX-License-Identifier: GPL-2.0-only
"""A Linux guest with the real guest agent, and ext4 on a disk that it writes to all the time.

The kernel is one of those that scripts/kernel has; busybox, the agent and its libraries are this
machine's.  On its serial line it says what it has written, and what time it is: "COUNT SECONDS".
"""

import os
import re
import shutil
import subprocess
import tempfile

KERNEL = os.path.join(os.environ.get("CKPT_CACHE", "/var/cache/dm-ckpt"), "kernels", "6.12")
MODULES = "virtio_pci virtio_console virtio_blk ext4"
INIT = """#!/bin/sh
/bin/busybox mkdir -p /bin /proc /sys /dev /mnt /tmp /run /var/run /var/local/state
/bin/busybox --install -s /bin
ln -s /bin/busybox /sbin/hwclock
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for m in /modules/*; do insmod $m; done
while [ ! -e /dev/vda ]; do sleep 0.1; done
mount -t ext4 /dev/vda /mnt
until [ -n "$port" ]; do
        for p in /sys/class/virtio-ports/*; do
                [ "$(cat $p/name)" = org.qemu.guest_agent.0 ] && port=/dev/${p##*/}
        done
done
/sbin/qemu-ga -m virtio-serial -p $port -f /run/ga.pid -t /tmp &
n=0
while :; do
        n=$((n + 1))
        echo $n >/mnt/count.new
        mv /mnt/count.new /mnt/count
        sync
        echo "$n $(date +%s)" >/dev/ttyS0
done
"""


def run(*words):
    return subprocess.run(words, check=True, text=True, capture_output=True).stdout


def copy(tree, path):
    to = os.path.join(tree, path.lstrip("/"))
    os.makedirs(os.path.dirname(to), exist_ok=True)
    shutil.copy(path, to)


def initramfs(folder):
    tree = os.path.join(folder, "tree")
    for name in "/bin/busybox", "/usr/sbin/qemu-ga":
        copy(tree, name)
    for library in re.findall(r"(/\S+) \(0x", run("ldd", "/usr/sbin/qemu-ga")):
        copy(tree, library)
    os.makedirs(os.path.join(tree, "sbin"))
    os.makedirs(os.path.join(tree, "modules"))
    shutil.move(os.path.join(tree, "usr/sbin/qemu-ga"), os.path.join(tree, "sbin/qemu-ga"))
    with open(os.path.join(KERNEL, "release"), encoding="ascii") as f:
        release = f.read().strip()
    needed = run("modprobe", "-d", KERNEL, "-S", release, "-a", "--show-depends", *MODULES.split())
    for i, path in enumerate(dict.fromkeys(re.findall(r"^insmod (\S+)", needed, re.M))):
        shutil.copy(path, os.path.join(tree, "modules", f"{i:02}-{os.path.basename(path)}"))
    with open(os.path.join(tree, "init"), "w", encoding="ascii") as f:
        f.write(INIT)
    os.chmod(os.path.join(tree, "init"), 0o755)
    os.symlink("busybox", os.path.join(tree, "bin/sh"))
    image = os.path.join(folder, "initrd.img")
    subprocess.run(f"cd {tree} && find . | cpio -o -H newc --quiet >{image}", shell=True, check=True)
    return image


class Linux:
    """Socket "agent" is the agent's; "disk" holds the file system."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="ckpt-linux-")
        disk = self.path("disk")
        run("truncate", "-s", "16M", disk)
        run("mkfs.ext4", "-q", "-F", disk)
        words = ["qemu-system-x86_64", "-M", "q35,hpet=off,smbus=off,sata=off", "-accel", "tcg",
                 "-cpu", "max,la57=off,cx16=off", "-m", "256", "-nodefaults", "-no-user-config",
                 "-display", "none", "-rtc", "base=2020-01-01",
                 "-kernel", os.path.join(KERNEL, "vmlinux"), "-initrd", initramfs(self.folder),
                 "-append", "console=ttyS0 loglevel=3 panic=-1 mitigations=off tsc=reliable "
                 "no_timer_check cryptomgr.notests audit=0 random.trust_cpu=on rdinit=/init",
                 "-serial", f"file:{self.path('serial')}",
                 "-drive", f"if=none,id=disk,format=raw,file={disk}",
                 "-device", "virtio-blk-pci,drive=disk", "-device", "virtio-serial-pci",
                 "-chardev", f"socket,id=agent,path={self.path('agent')},server=on,wait=off",
                 "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        with open(self.path("log"), "w", encoding="utf8") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log)

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
