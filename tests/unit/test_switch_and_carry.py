"""The switch on loopback, and what carries bytes from one command to another."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from infra.answers import Service
from labkit.measure.switch import switching
from labkit.system.carry import carry
from labkit.system.errors import CommandError
from tests.unit.served import served


@contextmanager
def answering(text: str, wait: threading.Event | None = None) -> Iterator[str]:
    """A server that answers with this text, after the event if one is given; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if wait is not None:
                wait.wait(10)
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def ask(url: str) -> str:
    """One request on a connection of its own."""
    with Service(url, 10) as service:
        return service.get("/").text


def test_new_connections_go_to_the_newest_target() -> None:
    """At an address that stays; away from all targets they are reset, and come back with the next one."""
    with answering("one") as one, answering("two") as two, switching(one) as switch:
        assert ask(switch.url) == "one"
        switch.to(two)
        assert ask(switch.url) == "two"
        switch.away()
        with pytest.raises(requests.RequestException):
            ask(switch.url)
        switch.to(one)
        assert ask(switch.url) == "one"


def test_an_open_connection_stays_with_its_target() -> None:
    """What was asked of the old one is answered by the old one."""
    go = threading.Event()
    with answering("slow", go) as slow, answering("new") as new, switching(slow) as switch:
        answers: list[str] = []
        asking = threading.Thread(target=lambda: answers.append(ask(switch.url)))
        asking.start()
        while not switch.open:
            threading.Event().wait(0.01)
        switch.to(new)
        assert ask(switch.url) == "new"
        go.set()
        asking.join(10)
    assert answers == ["slow"]


def test_a_target_that_is_gone_is_a_reset_connection() -> None:
    """And the switch goes on."""
    with answering("gone") as gone:
        pass
    with answering("here") as here, switching(gone) as switch:
        with pytest.raises(requests.RequestException):
            ask(switch.url)
        switch.to(here)
        assert ask(switch.url) == "here"


def test_bytes_are_carried_counted_and_digested() -> None:
    """All of them, several chunks long; what comes out is what went in."""
    carried = carry(["head", "-c", "3000000", "/dev/zero"], ["sh", "-c", "test $(wc -c) = 3000000"], 20)
    assert carried.bytes == 3_000_000
    assert carried.sha256 == hashlib.sha256(bytes(3_000_000)).hexdigest()


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("echo lost >&2; exit 3", "cat > /dev/null"),
        ("cat /dev/zero", "echo full >&2; exit 3"),
        ("echo x", "cat > /dev/null; exit 3"),
    ],
)
def test_either_end_may_fail(source: str, sink: str) -> None:
    """The failing one is named, and both are gone."""
    with pytest.raises(CommandError) as error:
        carry(["sh", "-c", source], ["sh", "-c", sink], 20)
    assert "exit status 3" in error.value.problem


def test_carrying_is_bounded() -> None:
    """At the bound both are ended."""
    with pytest.raises(CommandError, match="gave up"):
        carry(["sleep", "60"], ["cat"], 0.3)
