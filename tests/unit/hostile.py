# SPDX-License-Identifier: GPL-2.0-only
#
# usage: hostile.py SOCKET
#
# Clients of ckptd that mean no good, or know no better. Whatever they do, it has to answer
# others as before. Says what was not as it should be, and then ends with 1.

import json, os, random, socket, struct, sys

path = sys.argv[1]
bad = 0


def complain(what):
    global bad
    bad = 1
    print(what)


def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    return s


def reply(s):
    got = b''
    while not got.endswith(b'\0'):
        try:
            part = s.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            part = b''
        if not part:
            return None
        got += part
    return json.loads(got[:-1])


def ask(message):
    s = connect()
    try:
        s.sendall(message)
    except (ConnectionResetError, BrokenPipeError):
        pass
    answer = reply(s)
    s.close()
    return answer


LIST = b'{"method":"dm-ckpt.vm.List"}\0'


def alive(after):
    answer = ask(LIST)
    if not answer or 'vms' not in answer.get('parameters', {}):
        complain('after %s: %r' % (after, answer))


def refused(what, message):
    answer = ask(message)
    if not answer or answer.get('error') != 'dm-ckpt.vm.Failed' or not answer['parameters']['message']:
        complain('%s: %r' % (what, answer))
    alive(what)


# What is no request.
for what, message in (
        ('nothing', b'\0'), ('no JSON', b'hello\0'), ('half an object', b'{"method":\0'),
        ('an array', b'[]\0'), ('a number', b'7\0'), ('null', b'null\0'),
        ('no method', b'{"parameters":{}}\0'), ('a method that is no text', b'{"method":7}\0'),
        ('parameters that are none', b'{"method":"dm-ckpt.vm.List","parameters":[]}\0'),
        ('a method that there is not', b'{"method":"dm-ckpt.vm.Explode"}\0'),
        ('bytes that are no text', b'{"method":"\xff\xfe"}\0'),
        ('depth', b'{"method":' + b'[' * 30000 + b']' * 30000 + b'}\0'),
        ('too much of it', b'{"method":"' + b'x' * 70000 + b'"}\0'),
        ('without an end', b'x' * 65536),
        ('a parameter too many', b'{"method":"dm-ckpt.vm.List","parameters":{"a":1}}\0'),
        ('a parameter of another type', b'{"method":"dm-ckpt.vm.Show","parameters":{"vm":7}}\0'),
        ('a parameter with a NUL', b'{"method":"dm-ckpt.vm.Show","parameters":{"vm":"web\\u0000x"}}\0'),
        ('no parameter', b'{"method":"dm-ckpt.vm.Show"}\0'),
        ('a path', b'{"method":"dm-ckpt.vm.Show","parameters":{"vm":"../../etc/passwd"}}\0'),
        ('a line in a value', b'{"method":"dm-ckpt.vm.Add","parameters":{"vm":"x","volume":"disk","store":"a\\nb = c"}}\0'),
        ('a long name', json.dumps({'method': 'dm-ckpt.vm.Show', 'parameters': {'vm': 'n' * 60000}}).encode() + b'\0')):
    refused(what, message)

# Any bytes.
rng = random.Random(int(os.environ.get('CKPT_SEED', '1')))
for i in range(200):
    s = connect()
    try:
        s.sendall(bytes(rng.randrange(256) for _ in range(rng.randrange(2000))))
        if i % 3 == 0:
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
    except OSError:
        pass
    s.close()
alive('any bytes')

# A request that comes byte by byte, and two at once.
s = connect()
for i in range(len(LIST)):
    s.sendall(LIST[i:i + 1])
if not reply(s):
    complain('byte by byte: no answer')
s.sendall(LIST + LIST)
got = b''
while got.count(b'\0') < 2:
    part = s.recv(65536)
    if not part:
        complain('two at once: %r' % got)
        break
    got += part
s.close()

# Who asks and is gone, and who never reads.
for _ in range(50):
    s = connect()
    s.sendall(LIST * 20)
    s.close()
alive('those that do not wait')
deaf = connect()
deaf.setblocking(False)
sent = 0
try:
    while sent < 64 << 20:
        sent += deaf.send(LIST * 1000)
except BlockingIOError:
    pass
except OSError:
    pass
if sent >= 64 << 20:
    complain('one that does not read can have it read without end')
alive('one that does not read')
deaf.close()

# Half a message, many times; then a thousand at once.
halves = []
for _ in range(40):
    s = connect()
    s.sendall(b'{"method":')
    halves.append(s)
alive('forty halves')
for s in halves:
    s.close()
crowd, turned = [], 0
for i in range(1000):
    # Without a timeout: with one it would fail, and not wait, while others are being let in.
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    s.settimeout(20)
    crowd.append(s)
for s in crowd[64:]:
    answer = reply(s)
    if answer and 'connections' in answer['parameters']['message']:
        turned += 1
if turned < 900:
    complain('of a thousand only %d were told that there are too many' % turned)
for s in crowd:
    s.close()
alive('a thousand')
sys.exit(bad)
