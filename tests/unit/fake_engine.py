"""A Docker Engine of a few answers, on a Unix socket: what a registry says through it, what a build is asked with."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

VERSION = {"ApiVersion": "1.41", "MinAPIVersion": "1.12", "Version": "20.10.24"}


@dataclass
class FakeEngine:
    """Answers by path's part -> (status, body, seconds until then); what was asked is kept."""

    socket: Path
    answers: dict[str, tuple[int, Any, float]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    def answer(self, path: str) -> tuple[int, Any, float]:
        for part, answer in self.answers.items():
            if part in path:
                return answer
        if "/version" in path:
            return 200, VERSION, 0.0
        return (200, {"Driver": "overlay2"}, 0.0) if "/info" in path else (404, {"message": "No such image"}, 0.0)


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    over: threading.Event

    def get_request(self) -> tuple[Any, Any]:
        request, _ = super().get_request()
        return request, ("engine", 0)


@contextmanager
def fake_engine(folder: Path) -> Iterator[FakeEngine]:
    """Run one until the block ends."""
    engine = FakeEngine(folder / "engine.sock")

    class Handler(BaseHTTPRequestHandler):
        server: _Server
        protocol_version = "HTTP/1.1"

        def _reply(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if self.headers.get("Transfer-Encoding") == "chunked":
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(length)
            engine.asked.append((self.path, dict(self.headers), body))
            status, told, seconds = engine.answer(self.path)
            if self.server.over.wait(seconds):
                return
            data = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            # Events come chunk by chunk, as an engine sends them; the client reads them so or not at all.
            if isinstance(told, bytes):
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data))
            else:
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        do_GET = do_POST = do_DELETE = _reply  # noqa: N815 - the library's names

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the library's name
            pass

    with _Server(str(engine.socket), Handler) as server:
        server.over = threading.Event()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield engine
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
