#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Agents that mean no good, or have ill luck: each is told apart, and the guest is thawed.

Each of these waits for deadlines, so all are at it at the same time.
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from guest import Points, driver, said, until  # noqa: E402

points, lock = Points(), threading.Lock()
def point(good, what, text=""):
    with lock:
        if not good and text:
            print(f"# {what}: {text}")
        points(good, what)


class Agent:
    def __init__(self, how, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="ckpt-agent-")
        self.path = os.path.join(self.folder, "agent")
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "bad-agent.py"),
                                         self.path, how])
        until(lambda: os.path.exists(self.path))

    def frozen(self):
        return os.path.exists(self.path + ".frozen")

    def log(self):
        try:
            with open(self.path + ".log", encoding="ascii") as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def end(self):
        self.process.kill()
        self.process.wait()
        subprocess.run(["rm", "-rf", self.folder], check=True)


def one(what, how, seconds, expected, thawed=True, command="true", asked=True):
    """How it ends, and whether it is thawed then and was told to."""
    agent = Agent(how)
    mark = agent.path + ".mark"
    code, text = said(driver("freeze", agent.path, str(seconds), f"touch {mark}; {command}"))
    good = expected == "done"
    point((code == 0) == good and expected in text, f"{what}: {'done' if good else 'said so'}", text)
    point(agent.frozen() != thawed, f"{what}: {'thawed' if thawed else 'frozen still'}")
    point(("guest-fsfreeze-thaw" in agent.log()) == asked, f"{what}: told to thaw, or not at all")
    return agent


def simple(*words, **more):
    one(*words, **more).end()


def no_agent():
    code, text = said(driver("freeze", "/nobody/is/here", "2", "true"))
    point(code == 3 and "there is no guest agent" in text, "no agent: said so", text)


def foreign():
    agent = Agent("good")
    with open(agent.path + ".frozen", "w", encoding="ascii"):
        pass
    code, text = said(driver("freeze", agent.path, "2", "true"))
    point(code == 4 and "by somebody else" in text, "frozen by somebody else: said so", text)
    point(agent.frozen() and "guest-fsfreeze-thaw" not in agent.log(),
          "frozen by somebody else: left alone")
    agent.end()


def hangs():
    agent = one("an agent that hangs for good", "hangs", 1, "file systems of the guest may be frozen",
                thawed=False, asked=False)
    # It comes back, as another process: who goes on telling it is none of the driver's.
    agent.process.kill()
    agent.process.wait()
    again = Agent("good", agent.folder)
    point(until(lambda: not agent.frozen(), 40), "an agent that hangs for good: thawed when it is back")
    again.end()


def dies():
    def come_back():
        until(agent.frozen)
        agent.process.wait()
        again.append(Agent("good", agent.folder))
    again = []
    agent = Agent("dies")
    thread = threading.Thread(target=come_back)
    thread.start()
    code, text = said(driver("freeze", agent.path, "5", "true"))
    thread.join()
    point(code == 1 and "has closed its socket" in text, "an agent that dies: said so", text)
    point(not agent.frozen(), "an agent that dies: thawed by the next one")
    again[0].end()


def ended():
    agent = Agent("dies")
    start = time.monotonic()
    code, text = said(driver("freeze", agent.path, "5", "true"))
    point(code == 1 and "has closed its socket" in text, "a machine that ends: said so", text)
    point(time.monotonic() - start < 60, "a machine that ends: nobody waits for long")
    agent.end()


def killed():
    # "$PPID" is the driver, as the command is its child.
    agent = Agent("good")
    process = driver("freeze", agent.path, "5", f"touch {agent.path}.mark; kill -9 $PPID; sleep 0.2")
    process.wait()
    point(process.returncode == -signal.SIGKILL and os.path.exists(agent.path + ".mark"),
          "killed while all is frozen")
    point(until(lambda: not agent.frozen(), 20), "killed while all is frozen: thawed")
    agent.end()


def kill_guard(agent, task=0):
    """By its number, and only the one of this agent."""
    wanted = "\0".join(["ckptd", "--agent", str(task), agent.path, ""]).encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                if f.read().startswith(wanted):
                    os.kill(int(pid), signal.SIGKILL)
                    return True
        except OSError:
            pass
    return False


def frozen_guard_killed(agent):
    """All is frozen, and nobody is there who was to thaw it."""
    process = driver("freeze", agent.path, "5", f"touch {agent.path}.mark; sleep 3")
    until(lambda: os.path.exists(agent.path + ".mark"))
    return process, kill_guard(agent)


def guard_killed():
    agent = Agent("good")
    process, was_killed = frozen_guard_killed(agent)
    code, text = said(process)
    point(was_killed and code == 1 and "was killed" in text, "the guard killed: said so", text)
    point(not agent.frozen(), "the guard killed: thawed by another one")
    agent.end()


def two_guards_killed():
    agent = Agent("good")
    process, was_killed = frozen_guard_killed(agent)
    agent.process.send_signal(signal.SIGSTOP)
    point(was_killed and until(lambda: kill_guard(agent, 1), 20), "two guards killed")
    agent.process.send_signal(signal.SIGCONT)
    code, text = said(process)
    point(code == 1 and not agent.frozen(), "two guards killed: thawed by the third", text)
    agent.end()


def both_killed():
    agent = Agent("good")
    process, was_killed = frozen_guard_killed(agent)
    process.kill()
    process.wait()
    time.sleep(1)
    point(was_killed and agent.frozen(), "both killed: frozen still")
    code, text = said(driver("thaw", agent.path))
    point(code == 0 and not agent.frozen(), "both killed: the next one thaws", text)
    agent.end()


def clock():
    agent = Agent("good")
    with open(agent.path + ".frozen", "w", encoding="ascii"):
        pass
    code, text = said(driver("set-time", agent.path))
    point(code == 0 and not agent.frozen(), "the clock is set, of a guest that is thawed first", text)
    point(abs(int(agent.log()[-1]) / 1e9 - time.time()) < 300, "to that of this host")
    agent.end()
    agent = Agent("deaf")
    code, text = said(driver("set-time", agent.path))
    point(code == 7 and "does not answer" in text and "frozen" not in text,
          "the clock of a guest whose agent does not answer: said so", text)
    agent.end()


tests = [
    lambda: simple("a good agent", "good", 5, "done"),
    lambda: simple("one with others' answers about", "old", 5, "done"),
    lambda: simple("one that does not answer", "deaf", 2, "does not answer 'guest-sync-delimited' in time",
                   asked=False),
    lambda: simple("one that refuses", "refuses", 2, "Input/output error"),
    lambda: simple("one that freezes nothing", "zero", 2, "has frozen nothing"),
    lambda: simple("an answer that is late", "late", 1, "does not answer 'guest-fsfreeze-freeze' in time"),
    lambda: simple("garbage", "garbage", 2, "not JSON"),
    lambda: simple("an answer without an end", "endless", 20, "says too much"),
    lambda: simple("half an answer", "half", 1, "'guest-fsfreeze-freeze' in time"),
    lambda: simple("a text in place of a number", "texts", 2, "what is not asked for"),
    lambda: simple("one that closes", "closes", 5, "has closed its socket"),
    lambda: simple("one that lies", "lies", 2, "and that they are thawed"),
    lambda: simple("two answers", "echoes", 2, "the guest agent is none"),
    lambda: simple("some that were thawed before", "partial", 2, "but 2 were frozen in the end"),
    lambda: simple("one that thaws by itself", "limited", 2, "limited up to 10 seconds"),
    lambda: simple("one that does not want to thaw", "stubborn", 2, "it is too early"),
    lambda: simple("disks that take long", "good", 2, "were not taken within", command="sleep 12"),
    no_agent, foreign, hangs, dies, ended, killed, guard_killed, two_guards_killed,
    both_killed, clock,
]
threads = [threading.Thread(target=t) for t in tests]
for t in threads:
    t.start()
for t in threads:
    t.join()
points.end()
