"""Sends requests on a clock, whatever the answers do. One new connection a request; nothing waits for anything.

An asyncio task a request, h11 for HTTP. The loop's clock is CLOCK_MONOTONIC: a wall clock that jumps changes nothing.
A request lives until its deadline at most, so no more than rate times deadline are open at once.

Why asyncio: at 300 requests a second on a busy machine with two cores it took 0.7 ms of CPU time a request, an epoll
loop of our own 0.5 ms, uvloop 0.8 ms, whose timers go off up to 1 ms too early. Most of the time goes into parsing.
Its loop here is that of `_timing`, which keeps the clock more finely than asyncio's own.
"""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from labkit.measure.prober._exchange import Answer, Exchange
from labkit.measure.prober._schedule import Due, schedule
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.settings import Settings
from labkit.system.errors import LabError

_CHUNK_BYTES = 16 * 1024
_TCP_INFO = struct.Struct("=68x I 28x I")
"""tcpi_rtt in microseconds and tcpi_total_retrans of Linux' struct tcp_info, whose fields keep their places."""
_BY_ERRNO = {
    errno.ECONNREFUSED: "refused",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",
    errno.ECONNABORTED: "reset",
    errno.EHOSTUNREACH: "unreachable",
    errno.ENETUNREACH: "unreachable",
    errno.EHOSTDOWN: "unreachable",
    errno.ENETDOWN: "unreachable",
    errno.ETIMEDOUT: "deadline",
}


@dataclass(frozen=True)
class Target:
    """Where a URL leads, resolved once: a name service is not what is measured."""

    host: str
    """As in the Host header."""
    family: socket.AddressFamily
    address: tuple[str | int, ...] | tuple[int, bytes]


def resolve(url: str) -> Target:
    """Raises LabError when the name is unknown."""
    parts = urlsplit(url)
    try:
        family, _, _, _, address = socket.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise LabError(f"The prober cannot run: {url} leads nowhere: {error}", hint="correct the URL") from error
    return Target(parts.netloc, family, address)


@dataclass
class _Request:
    """A request as it will be sent, and what of it was reached, also where it then fails."""

    due: Due
    target: Target
    exchange: Exchange
    data: bytes
    connect_us: int | None = None
    first_byte_s: float | None = None


class Sender:
    """Runs one prober's schedule; hands each sample to `on_sample` as its outcome is known."""

    def __init__(self, settings: Settings, client: str, on_sample: Callable[[Sample], None]) -> None:
        self._settings = settings
        self._client = client
        self._on_sample = on_sample
        self._targets = [resolve(url) for url in settings.urls]
        self._feeder: asyncio.Task[None] | None = None
        self._began = 0.0
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """It was told to stop before its time was over."""
        return self._stopped

    def stop(self) -> None:
        """Send nothing more; requests under way still run to their outcomes."""
        self._stopped = True
        if self._feeder is not None:
            self._feeder.cancel()

    async def run(self, began_monotonic_s: float) -> None:
        """Send everything; returns when the last outcome is known. What `on_sample` raises ends it."""
        self._began = began_monotonic_s
        async with asyncio.TaskGroup() as requests:
            self._feeder = requests.create_task(self._feed(requests))
            if self._stopped:
                self._feeder.cancel()

    async def _feed(self, requests: asyncio.TaskGroup) -> None:
        given = self._settings
        for due in schedule(given.reads_per_s, given.writes_per_s, given.duration_s):
            # Made before its time has come: that takes a good part of a request's CPU time.
            request = self._made(due)
            wait_s = due.scheduled_s - self._now()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            elif -wait_s > given.deadline_s:
                now_s = self._now()
                self._on_sample(Sample(given.stream, *_head(due), None, None, now_s, "unsent"))
                continue
            requests.create_task(self._request(request))

    def _made(self, due: Due) -> _Request:
        target = self._targets[due.seq % len(self._targets)]
        exchange = Exchange(target.host)
        return _Request(due, target, exchange, self._bytes(due, exchange))

    async def _request(self, request: _Request) -> None:
        given, due, target, exchange = self._settings, request.due, request.target, request.exchange
        sent_s = self._now()
        with socket.socket(target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
            try:
                async with asyncio.timeout_at(self._began + due.scheduled_s + given.deadline_s):
                    answer = await self._exchange(request, connection)
            except TimeoutError:
                answer = exchange.broken("deadline")
            except OSError as error:
                name = errno.errorcode.get(error.errno or 0, str(error))
                answer = exchange.broken(_BY_ERRNO.get(error.errno or 0, "local"), name)
            done_s = self._now()
            self._on_sample(
                Sample(
                    *(given.stream, *_head(due), sent_s, request.first_byte_s, done_s),
                    *(answer.outcome, answer.status, answer.replica, answer.server, answer.detail, request.connect_us),
                )
            )
            if answer.status is not None:
                await self._let_it_close(connection, due)

    async def _exchange(self, request: _Request, connection: socket.socket) -> Answer:
        loop, due, exchange = asyncio.get_running_loop(), request.due, request.exchange
        begun_s = self._now()
        await loop.sock_connect(connection, request.target.address)
        request.connect_us = _connect_us(connection, begun_s, self._now())
        await loop.sock_sendall(connection, request.data)
        while True:
            chunk = await loop.sock_recv(connection, _CHUNK_BYTES)
            if chunk and request.first_byte_s is None:
                request.first_byte_s = self._now()
            answer = exchange.feed(chunk)
            if answer is not None:
                break
        if answer.outcome != "ok":
            return answer
        if due.kind == "read":
            return exchange.check_read(self._settings.expect)
        return exchange.check_write(self._client, due.seq)

    async def _let_it_close(self, connection: socket.socket, due: Due) -> None:
        # The side that closes first keeps the port for a minute; at hundreds a second ours would run out.
        with suppress(OSError):
            async with asyncio.timeout_at(self._began + due.scheduled_s + self._settings.deadline_s):
                await asyncio.get_running_loop().sock_recv(connection, 1)

    def _bytes(self, due: Due, exchange: Exchange) -> bytes:
        if due.kind == "read":
            return exchange.request("GET", "/whoami")
        body = {"client": self._client, "seq": due.seq, "payload": payload(self._client, due.seq)}
        return exchange.request("POST", "/entries", json.dumps(body, separators=(",", ":")).encode())

    def _now(self) -> float:
        return asyncio.get_running_loop().time() - self._began


def _connect_us(connection: socket.socket, begun_s: float, now_s: float) -> int:
    """From the first SYN to its answer, as the kernel saw it: this process's own time is a multiple of that.

    The kernel measures an attempt; where it had to repeat one, or tells nothing, what a client waited counts.
    """
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    rtt_us, repeated = _TCP_INFO.unpack(told.ljust(_TCP_INFO.size, b"\0"))
    return rtt_us if rtt_us and not repeated else round((now_s - begun_s) * 1e6)


def payload(client: str, seq: int) -> str:
    """What an entry must hold: nobody else would write this."""
    return f"{client}/{seq}"


def _head(due: Due) -> tuple[str, int, float]:
    return due.kind, due.seq, due.scheduled_s
