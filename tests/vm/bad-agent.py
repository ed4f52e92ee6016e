#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A guest agent at a unix socket that does as it should, but for one thing: bad-agent.py SOCKET HOW.

What it was told is in the file SOCKET.log, a line for each command; its file systems, of which there
are 3, are frozen while there is a file SOCKET.frozen, also if another one was killed over that.
"""

import json
import os
import socket
import sys
import time

path, how = sys.argv[1:]
FILE_SYSTEMS = 3
refusals = 2


class Hang(Exception):
    """Nothing more is done for this client, or ever."""


def log(text):
    with open(path + ".log", "a", encoding="ascii") as f:
        print(text, file=f)


def is_frozen():
    return os.path.exists(path + ".frozen")


def answer(client, value):
    client.sendall(json.dumps({"return": value}).encode() + b"\n")


def refuse(client, why):
    client.sendall(json.dumps({"error": {"class": "GenericError", "desc": why}}).encode() + b"\n")


def stay():
    while True:
        time.sleep(60)


def freeze(client):
    if how == "refuses":
        return refuse(client, "failed to freeze /srv: Input/output error")
    if how == "zero":
        return answer(client, 0)
    with open(path + ".frozen", "w", encoding="ascii"):
        pass
    if how == "hangs":
        stay()
    elif how == "late":
        time.sleep(3)
    elif how == "garbage":
        return client.sendall(b"\x00\xfe!$ no, thanks\r\n")
    elif how == "endless":
        client.sendall(b'{"return": "')
        for _ in range(64):
            client.sendall(b"x" * 65536)
    elif how == "half":
        return client.sendall(b'{"return": 3')
    elif how == "closes":
        client.close()
        raise Hang
    elif how == "lies":
        os.unlink(path + ".frozen")
    elif how == "texts":
        return answer(client, "three")
    answer(client, FILE_SYSTEMS)
    if how == "dies":
        os._exit(0)
    elif how == "echoes":       # as if there had been another question
        answer(client, FILE_SYSTEMS)
    return None


def thaw(client):
    global refusals
    if how == "stubborn" and (refusals := refusals - 1) >= 0:
        return refuse(client, "it is too early")
    if how == "limited":        # Windows has thawed by itself, and complains
        if is_frozen():
            os.unlink(path + ".frozen")
        return refuse(client, "fsfreeze is limited up to 10 seconds")
    count = FILE_SYSTEMS if is_frozen() else 0
    if is_frozen():
        os.unlink(path + ".frozen")
    return answer(client, min(count, 2) if how == "partial" else count)


def obey(client, question):
    command = question["execute"]
    log(command)
    if command == "guest-sync-delimited":
        if how == "deaf":
            stay()
        if how == "old":        # what is left from another client
            client.sendall(b'{"return": 3}\n\xff{"return": 1}\n')
        client.sendall(b"\xff")
        answer(client, question["arguments"]["id"])
    elif command == "guest-fsfreeze-freeze":
        freeze(client)
    elif command == "guest-fsfreeze-thaw":
        thaw(client)
    elif command == "guest-fsfreeze-status":
        answer(client, "frozen" if is_frozen() else "thawed")
    elif command == "guest-set-time" and not is_frozen():
        log(str(question["arguments"]["time"]))
        answer(client, {})
    elif command == "guest-ping":
        answer(client, {})
    else:
        refuse(client, "Command %s has been disabled" % command)


def serve(client):
    held = b""
    while data := client.recv(65536):
        held += data.replace(b"\xff", b"")
        while b"\n" in held:
            line, held = held.split(b"\n", 1)
            obey(client, json.loads(line))


listener = socket.socket(socket.AF_UNIX)
if os.path.exists(path):
    os.unlink(path)
listener.bind(path)
listener.listen()
while True:
    connection, _ = listener.accept()
    try:
        serve(connection)
    except (Hang, OSError):
        pass
    connection.close()
