"""One HTTP request and what its answer is worth, without I/O: bytes go out, bytes come in, an outcome results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

import h11

MAX_BODY_BYTES = 64 * 1024
_DETAIL_CHARS = 120
_ACKNOWLEDGED = (HTTPStatus.CREATED, HTTPStatus.OK)


@dataclass(frozen=True)
class Answer:
    """What came of an exchange; `outcome` and the others as in a sample."""

    outcome: str
    status: int | None = None
    replica: str = ""
    server: str = ""
    detail: str = ""


class Exchange:
    """A request and its answer so far. Feed it what arrives, b"" at the end of the connection."""

    def __init__(self, host: str) -> None:
        self._connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=MAX_BODY_BYTES)
        self._host = host
        self._response: h11.Response | None = None
        self._body = bytearray()
        self._began = False

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes to send."""
        headers = [("Host", self._host), ("Connection", "close"), ("Accept", "application/json")]
        if body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        data = self._connection.send(h11.Request(method=method, target=path, headers=headers)) or b""
        if body:
            data += self._connection.send(h11.Data(data=body)) or b""
        return data + (self._connection.send(h11.EndOfMessage()) or b"")

    def feed(self, data: bytes) -> Answer | None:
        """None while the answer is not whole; then `ok`, or what went wrong. The body is for `check_*`."""
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if event is h11.NEED_DATA:
                    self._began = self._began or bool(data)
                    return None
                if isinstance(event, h11.ConnectionClosed):
                    return self._answer("closed")
                if isinstance(event, h11.Response):
                    self._response = event
                elif isinstance(event, h11.Data):
                    self._body += event.data
                    if len(self._body) > MAX_BODY_BYTES:
                        return self._answer("wrong", f"a body of more than {MAX_BODY_BYTES} bytes")
                elif isinstance(event, h11.EndOfMessage):
                    return self._answer("ok")
        except h11.RemoteProtocolError as error:
            if data:
                return self._answer("wrong", f"not HTTP: {error}")
            return self._answer("half" if self._began else "closed")

    def broken(self, outcome: str, detail: str = "") -> Answer:
        """The outcome when the connection broke; keeps what the answer's head said, if it came."""
        return self._answer(outcome, detail)

    def check_read(self, expect: Mapping[str, str]) -> Answer:
        """The whole answer to GET /whoami: 200, and JSON that names a replica and has what is expected."""
        answer = self._answer("ok")
        if answer.status != HTTPStatus.OK:
            return self._answer("wrong", f"status {answer.status}{self._reason()}")
        found = self._json()
        replica = found.get("replica")
        if not isinstance(replica, str) or not replica:
            return self._answer("wrong", "the body is no JSON object that names a replica")
        if answer.replica not in {"", replica}:
            return self._answer("wrong", f"header of {answer.replica}, body of {replica}")
        for name, value in expect.items():
            if found.get(name) != value:
                return self._answer("wrong", f"{name} is {found.get(name)!r}, not {value!r}")
        return Answer("ok", answer.status, replica, answer.server)

    def check_write(self, client: str, seq: int) -> Answer:
        """The whole answer to POST /entries: 201 or 200, and JSON with the entry's client and seq."""
        answer = self._answer("ok")
        if answer.status not in _ACKNOWLEDGED:
            return self._answer("wrong", f"status {answer.status}{self._reason()}")
        found = self._json()
        if found.get("client") != client or found.get("seq") != seq:
            return self._answer("wrong", "the body does not name the entry that was sent")
        return answer

    def _answer(self, outcome: str, detail: str = "") -> Answer:
        if self._response is None:
            return Answer(outcome, detail=detail[:_DETAIL_CHARS])
        headers = {name: value.decode("ascii", "replace") for name, value in self._response.headers}
        return Answer(
            outcome,
            self._response.status_code,
            headers.get(b"vvc-replica", ""),
            headers.get(b"vvc-server", ""),
            detail[:_DETAIL_CHARS],
        )

    def _json(self) -> dict[str, object]:
        try:
            found = json.loads(self._body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def _reason(self) -> str:
        reason = self._json().get("reason")
        return f" {reason}" if isinstance(reason, str) else ""
