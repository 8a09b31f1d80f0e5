"""A switch between a client and the service: one address on loopback behind which the target may change.

A client that must follow a replica to another address (a new container on the next published port) keeps its own.
New connections go to the newest target; those that are open stay where they are until they end.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from labkit.system.errors import LabError

_CONNECT_S = 5.0
_CHUNK = 64 * 1024
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: the connection is reset, as a port without a listener does it."""


class Switch:
    """Build with `switching`."""

    def __init__(self, target: str) -> None:
        self._target: str | None = target
        self._port = 0
        self.open: set[asyncio.Future[None]] = set()
        """Connections that are open."""

    @property
    def url(self) -> str:
        """Where clients ask."""
        return f"http://127.0.0.1:{self._port}"

    def to(self, url: str) -> None:
        """Let new connections go to this URL."""
        self._target = url

    def away(self) -> None:
        """Reset new connections: the service is taken out of reach until `to`."""
        self._target = None

    async def serve(self, began: threading.Event, over: threading.Event) -> None:
        """Serve until `over`, asked ten times a second."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        began.set()
        try:
            while not over.is_set():
                await asyncio.sleep(0.1)
        finally:
            server.close()
            for task in self.open:
                task.cancel()
            await asyncio.gather(*self.open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._client(reader, writer))
        self.open.add(task)
        task.add_done_callback(self.open.discard)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self._target is None:
                raise ConnectionRefusedError
            parts = urlsplit(self._target)
            back, there = await asyncio.wait_for(asyncio.open_connection(parts.hostname, parts.port), _CONNECT_S)
            try:
                # Whichever ends first ends both: a client that has given up leaves no work behind it.
                pumps = {asyncio.ensure_future(_pump(reader, there)), asyncio.ensure_future(_pump(back, writer))}
                done, rest = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in rest:
                    pump.cancel()
                for pump in done:
                    pump.result()
            finally:
                there.close()
        except OSError:
            with suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()


@contextmanager
def switching(target: str) -> Iterator[Switch]:
    """A switch that serves while inside, in a thread of its own."""
    switch = Switch(target)
    began, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(switch.serve(began, over)), daemon=True)
    thread.start()
    try:
        if not began.wait(_CONNECT_S):
            raise LabError("The switch on loopback does not start.", hint="./lab doctor")
        yield switch
    finally:
        over.set()
        thread.join(_CONNECT_S)
