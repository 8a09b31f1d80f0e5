"""The rung "service answers": only the right replica's 200 counts, and the bound holds."""

from __future__ import annotations

import http.server
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from infra import answers
from infra.outputs import Replica
from labkit.commands import status
from labkit.lifecycle import steady
from tests.unit.served import served

pytestmark = pytest.mark.slow


@contextmanager
def serving(status: int, body: bytes) -> Iterator[str]:
    """A server on loopback that gives one answer to everything."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with served(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


def test_the_right_answer_ends_the_wait() -> None:
    """At once."""
    begin = time.monotonic()
    with serving(200, json.dumps({"replica": "vm-1", "version": "2"}).encode()) as url:
        answers.wait_until_ready(url, "vm-1", "2", timeout_s=10)
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("status", "body", "last"),
    [
        (500, b"broken", "status 500: broken"),
        (503, b"<h1>Unavailable</h1>\nNobody is there.\n", "status 503: <h1>Unavailable</h1> Nobody is there."),
        (200, b'{"replica": "vm-2", "version": "2"}', "it is vm-2 with version 2"),
        (200, b'{"replica": "vm-1", "version": "1"}', "it is vm-1 with version 1"),
        (200, b"<html>", "JSONDecodeError"),
    ],
)
def test_another_answer_is_told_at_the_bound(status: int, body: bytes, last: str) -> None:
    """With the rung's name, the bound, the last answer and where to look."""
    with serving(status, body) as url, pytest.raises(answers.NotReadyError) as failed:
        answers.wait_until_ready(url, "vm-1", "2", timeout_s=2.5)
    text = str(failed.value)
    assert text.startswith(f"Rung 'service answers': {url}/whoami did not answer 200 as vm-1, version 2 after ")
    assert last in text
    assert text.endswith("Look inside: ./lab exec vm-1")


def test_silence_is_told_too() -> None:
    """Nobody listens."""
    with pytest.raises(answers.NotReadyError, match="ConnectionRefusedError"):
        answers.wait_until_ready("http://127.0.0.1:9", "vm-1", "2", timeout_s=0.3)


def test_a_request_that_the_bound_cuts_short_does_not_hide_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that answers once and then no more."""
    found = [requests.Response()]
    found[0].status_code, found[0]._content = 500, b"broken"

    def ask(_url: str, within_s: float) -> requests.Response:
        if found:
            return found.pop()
        time.sleep(within_s)
        raise requests.ReadTimeout("timed out")

    monkeypatch.setattr(answers, "ask", ask)
    with pytest.raises(answers.NotReadyError, match="Last: status 500: broken"):
        answers.wait_until_ready("http://127.0.0.1:9", "vm-1", "2", timeout_s=0.5)


PROXIED = [
    {"http_proxy": "http://127.0.0.1:9"},
    {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "10.0.0.0/8,192.168.0.0/16"},
    {"ALL_PROXY": "socks5://127.0.0.1:9"},
    {"all_proxy": "nonsense://", "no_proxy": "[::1"},
]


@pytest.mark.parametrize("shell", PROXIED, ids=[" ".join(shell) for shell in PROXIED])
def test_a_labs_address_is_asked_without_the_persons_proxy(
    monkeypatch: pytest.MonkeyPatch, shell: dict[str, str]
) -> None:
    """By everyone who asks: up, status, run."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in shell.items():
        monkeypatch.setenv(name, value)
    with serving(200, json.dumps({"replica": "vm-1", "side": "vm", "version": "2"}).encode()) as url:
        answers.wait_until_ready(url, "vm-1", "2", timeout_s=10)
        replica = Replica("vm-1", "vm", "server-1", url, "vm-1")
        assert not steady.wrong(replica, "2")
        assert status._ask(replica)["version"] == "2"


def test_a_netrc_of_the_persons_is_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its default entry fits every address."""
    (tmp_path / ".netrc").write_text("default login kim password secret\n", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serving(200, b"{}") as url:
        assert "authorization" not in answers.ask(url, 5).request.headers


def test_an_answer_that_is_no_object_is_a_problem_in_words() -> None:
    """Such as of a captive portal; who waits for the right answer goes on waiting."""
    with serving(200, b"[]") as url:
        with pytest.raises(answers.UnansweredError, match="not an object"):
            answers.whoami(url, 5)
        with pytest.raises(answers.NotReadyError, match="Last: not an object"):
            answers.wait_until_ready(url, "vm-1", "2", timeout_s=0.5)


def test_what_went_wrong_is_told_without_a_librarys_objects() -> None:
    """The system's own words, as `./lab status` shows them."""
    with pytest.raises(answers.UnansweredError, match=r"^ConnectionRefusedError: \[Errno 111\] Connection refused$"):
        answers.whoami("http://127.0.0.1:9", 1)
