"""A proxy on this machine's loopback, as a person behind one has it: hands on plain HTTP and keeps what was asked."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

_HOP = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "proxy-authorization"}
_WITHIN_S = 60


@contextmanager
def forward_proxy(refusal: int = 0) -> Iterator[tuple[str, list[str]]]:
    """Its URL and the URLs that it is asked for, until the block ends; with `refusal` it answers nothing but that."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if refusal:
                self.send_error(refusal)
                return
            url = urlsplit(self.path)
            upstream = http.client.HTTPConnection(url.hostname or "", url.port or 80, timeout=_WITHIN_S)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                upstream.request("GET", f"{url.path}?{url.query}" if url.query else url.path, headers=headers)
                answer = upstream.getresponse()
                data = answer.read()
            except OSError as error:
                self.send_error(502, str(error))
                return
            finally:
                upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {*_HOP, "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *_: Any) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()
