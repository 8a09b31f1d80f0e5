"""A server on loopback whose delays and faults are known: what the prober is held against, and what a guide can show.

It speaks as the sample service does (GET /whoami, POST and GET /entries), keeps its entries in memory, and notes on the
prober's own clock when each request was there and when its answer left.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs, urlsplit

import h11

from labkit.measure.prober import _priority

FAULTS = {
    "": "answers as it should",
    "reset": "resets the connection instead of answering",
    "closed": "closes the connection without a byte",
    "black hole": "accepts and never answers",
    "slow body": "sends its head at once and its body a byte every 200 ms",
    "half": "closes the connection in the middle of the body",
    "wrong body": "answers 200 with a page that is not ours",
    "wrong status": "answers 503",
    "not HTTP": "answers with a line of text",
    "acknowledge first": "acknowledges writes before they are stored, and loses every third",
    "store twice": "stores every third write twice",
}
"""What it can be told to do."""

_END_S = 10.0
_CHUNK_BYTES = 16 * 1024
_DRIP_S = 0.2
_EVERY = 3
_NAME, _SERVER = "reference", "loopback"
_HEADERS = [("VVC-Replica", _NAME), ("VVC-Server", _SERVER), ("Connection", "close")]


@dataclass
class Reference:
    """The running server. `fault` and `delay_s` may be changed while it runs."""

    delay_s: float = 0.0
    """From a request to its answer."""
    fault: str = ""
    """A key of FAULTS."""
    url: str = ""
    seen: list[tuple[float, float]] = field(default_factory=list)
    """Of each whole answer: when its request was there and when it was handed to the kernel; CLOCK_MONOTONIC."""
    entries: list[tuple[str, int, str]] = field(default_factory=list)
    """Client, seq, payload, as stored."""
    stalled_until: float = 0.0

    def stall(self, for_s: float) -> float:
        """Answer nothing from now for that long, then everything; the instant from which on."""
        now = time.monotonic()
        self.stalled_until = now + for_s
        return now

    async def serve(self, client: socket.socket) -> None:
        """One connection, one request."""
        with suppress(OSError, h11.RemoteProtocolError):
            connection = h11.Connection(our_role=h11.SERVER)
            request, body = await _request(client, connection)
            there = time.monotonic()
            await asyncio.sleep(self.delay_s)
            while (wait_s := self.stalled_until - time.monotonic()) > 0:
                await asyncio.sleep(wait_s)
            status, content = self._content(request, body)
            data = _bytes(connection, status, content)
            if not await _spoil(self.fault, client, data, len(content)):
                await _send(client, data)
                self.seen.append((there, time.monotonic()))

    def _content(self, request: h11.Request, body: bytes) -> tuple[int, bytes]:
        if self.fault == "wrong status":
            return 503, b'{"reason":"BUSY"}'
        if self.fault == "wrong body":
            return 200, b"<html>It works!</html>"
        target = urlsplit(request.target.decode())
        if target.path == "/whoami":
            return 200, _json({"replica": _NAME, "server": _SERVER, "side": "none", "version": "1"})
        if request.method == b"POST":
            return self._add(**json.loads(body))
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        return 200, self._page(query["client"], int(query.get("after", "-1")), int(query.get("limit", "100")))

    def _add(self, client: str, seq: int, payload: str) -> tuple[int, bytes]:
        again = any((client, seq) == entry[:2] for entry in self.entries)
        times = 0 if again else 1
        if seq % _EVERY == 0:
            times = {"acknowledge first": 0, "store twice": 2}.get(self.fault, times)
        self.entries += [(client, seq, payload)] * times
        return 200 if again else 201, _json({"client": client, "seq": seq, "stored": not again})

    def _page(self, client: str, after: int, limit: int) -> bytes:
        found = sorted(entry for entry in self.entries if entry[0] == client and entry[1] > after)
        page = found[:limit]
        listed = [{"seq": seq, "payload": payload, "stored_at": ""} for _, seq, payload in page]
        return _json({"client": client, "entries": listed, "next": page[-1][1] if len(page) < len(found) else None})


@contextmanager
def reference(delay_s: float = 0.0, fault: str = "") -> Iterator[Reference]:
    """A running reference server on a port of the kernel's choice, in a thread of this process."""
    served = Reference(delay_s, fault)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        listener.setblocking(False)
        host, port = listener.getsockname()
        served.url = f"http://{host}:{port}"
        loop = asyncio.new_event_loop()
        accepting = loop.create_task(_accept(listener, served))

        def thread() -> None:
            # Its delays are known only if it runs when they are over, as the prober does; this is the thread's own.
            _priority.take("real-time")
            with suppress(asyncio.CancelledError):
                loop.run_until_complete(accepting)
            loop.close()

        worker = threading.Thread(target=thread, name="reference", daemon=True)
        worker.start()
        try:
            yield served
        finally:
            loop.call_soon_threadsafe(accepting.cancel)
            worker.join(_END_S)


async def _accept(listener: socket.socket, served: Reference) -> None:
    # Accepted and given to its task in one step: an end in between would leave the connection open.
    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()

    def accept() -> None:
        with suppress(OSError):
            client, _ = listener.accept()
            client.setblocking(False)
            task = loop.create_task(served.serve(client))
            under_way.add(task)
            task.add_done_callback(partial(_over, client, under_way))

    loop.add_reader(listener, accept)
    try:
        await asyncio.Event().wait()
    finally:
        loop.remove_reader(listener)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def _over(client: socket.socket, under_way: set[asyncio.Task[None]], task: asyncio.Task[None]) -> None:
    client.close()
    under_way.discard(task)


async def _request(client: socket.socket, connection: h11.Connection) -> tuple[h11.Request, bytes]:
    request: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await asyncio.get_running_loop().sock_recv(client, _CHUNK_BYTES))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, body
        else:
            raise ConnectionError("the client went away")


def _bytes(connection: h11.Connection, status: int, content: bytes) -> bytes:
    headers = [*_HEADERS, ("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    parts = (h11.Response(status_code=status, headers=headers), h11.Data(data=content), h11.EndOfMessage())
    return b"".join(connection.send(part) or b"" for part in parts)


async def _send(client: socket.socket, data: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(client, data)


async def _spoil(fault: str, client: socket.socket, data: bytes, content_bytes: int) -> bool:
    """Do what the fault says to the answer; False where it leaves the answer alone."""
    if fault == "black hole":
        await asyncio.sleep(3600)
    elif fault == "reset":
        # Closing with a linger time of 0 sends RST instead of FIN.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif fault == "half":
        await _send(client, data[: -content_bytes // 2])
    elif fault == "not HTTP":
        await _send(client, b"220 mail.example ESMTP\r\n\r\n")
    elif fault == "slow body":
        await _send(client, data[:-content_bytes])
        for byte in data[-content_bytes:]:
            await asyncio.sleep(_DRIP_S)
            await _send(client, bytes([byte]))
    elif fault != "closed":
        return False
    return True


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
