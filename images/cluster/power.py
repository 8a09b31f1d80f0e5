#!/usr/bin/python3
"""The power switch of a lab's servers, behind a Unix socket: what a fencing agent asks, and nothing else of the engine.

In comes one line, "status server-1", "off server-1", "on server-1" or "list"; out goes one line, "off", "on", the names
of the servers, or "error: why". A server is a container on the laptop's engine that has all the labels of VVC_LABELS;
its name there is VVC_PREFIX and its own. Each request is logged on standard output, with the seconds it took, but for
"list", by which a cluster asks every few seconds whether this service is there.
"""

import http.client
import json
import os
import pathlib
import re
import socket
import socketserver
import sys
import threading
import time
import urllib.parse

SOCKET = "/run/vvc-power/socket"
ENGINE = "/run/docker.sock"
LONGEST = 64
ASKED_WITHIN_S = 5
ENGINE_WITHIN_S = 5
OFF_WITHIN_S = 10
AT_ONCE = 16
QUIETLY = "list"
OK_STATUS, UNCHANGED, ABSENT, CONFLICT = (200, 204), 304, 404, 409
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


class RefusedError(Exception):
    """Why a request was not done."""


class Connection(http.client.HTTPConnection):
    """HTTP to the engine's socket."""

    def __init__(self):
        super().__init__("engine", timeout=ENGINE_WITHIN_S)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(ENGINE_WITHIN_S)
        self.sock.connect(ENGINE)


def engine(method, path):
    """The status and the JSON (None if there is none) that the engine answers. Raises RefusedError."""
    connection = Connection()
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RefusedError(f"the engine does not answer: {error}") from error
    finally:
        connection.close()


def labels():
    """What every server of the lab has."""
    return dict(pair.split("=", 1) for pair in os.environ["VVC_LABELS"].split(","))


def is_on(name):
    """Whether a server of the lab runs; one that is not there does not. Raises RefusedError for whatever is none."""
    if not NAME.fullmatch(name):
        raise RefusedError(f"no server can be called {name!r}")
    status, found = engine("GET", f"/containers/{os.environ['VVC_PREFIX']}{name}/json")
    if status == ABSENT:
        return False
    has = (found or {}).get("Config", {}).get("Labels") or {}
    if status not in OK_STATUS or any(has.get(key) != value for key, value in labels().items()):
        raise RefusedError(f"{name} is no server of this lab")
    return bool(found["State"]["Running"])


def switch_off(name):
    """Cut it off, and return when it is off. Raises RefusedError."""
    deadline = time.monotonic() + OFF_WITHIN_S
    while is_on(name):
        if time.monotonic() > deadline:
            raise RefusedError(f"{name} is still on after {OFF_WITHIN_S} s")
        status, said = engine("POST", f"/containers/{os.environ['VVC_PREFIX']}{name}/kill")
        if status not in (*OK_STATUS, CONFLICT):
            raise RefusedError(f"the engine refuses: {(said or {}).get('message', status)}")
        time.sleep(0.02)
    return "off"


def switch_on(name):
    """Start it. Raises RefusedError."""
    if not is_on(name):
        status, said = engine("POST", f"/containers/{os.environ['VVC_PREFIX']}{name}/start")
        if status not in (*OK_STATUS, UNCHANGED):
            raise RefusedError(f"the engine refuses: {(said or {}).get('message', status)}")
    return "on"


def known(_name):
    """The names of the lab's servers."""
    wanted = urllib.parse.quote(json.dumps({"label": [f"{key}={value}" for key, value in labels().items()]}))
    status, found = engine("GET", f"/containers/json?all=1&filters={wanted}")
    if status not in OK_STATUS:
        raise RefusedError(f"the engine refuses: {status}")
    prefix = f"/{os.environ['VVC_PREFIX']}"
    return " ".join(sorted(one["Names"][0].removeprefix(prefix) for one in found))


VERBS = {
    "status": lambda name: "on" if is_on(name) else "off",
    "off": switch_off,
    "on": switch_on,
    "list": known,
}


def answer(line):
    """The answer to one request."""
    verb, _, name = line.strip().partition(" ")
    if verb not in VERBS:
        return f"error: there is {', '.join(VERBS)}, not {verb!r}"
    try:
        return VERBS[verb](name)
    except RefusedError as error:
        return f"error: {error}"


class Handler(socketserver.StreamRequestHandler):
    """One request."""

    timeout = ASKED_WITHIN_S

    def handle(self):
        try:
            line = self.rfile.readline(LONGEST).decode("ascii", "replace")
        except OSError:
            return
        begin = time.monotonic()
        with self.server.places:
            told = answer(line)
        if line.strip() != QUIETLY or told.startswith("error"):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
            print(f"{stamp} {line.strip()}: {told} ({time.monotonic() - begin:.3f} s)", flush=True)
        try:
            self.wfile.write(f"{told}\n".encode())
        except OSError:
            return


class Server(socketserver.ThreadingUnixStreamServer):
    """Each request in a thread of its own, not too many at once."""

    daemon_threads = True
    places = threading.BoundedSemaphore(AT_ONCE)


def main():
    """Serve until the end."""
    pathlib.Path(SOCKET).unlink(missing_ok=True)
    with Server(SOCKET, Handler) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
