"""Watches something that runs, from outside: first answers of URLs, Pulumi's events as they come. Monotonic clock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

POLL_S = 0.05
"""Resolution of every instant that is seen here."""


@contextmanager
def polling(urls: Mapping[str, str]) -> Iterator[dict[str, float]]:
    """While inside: URL -> when it first answered 200, asked 20 times a second."""
    first: dict[str, float] = {}
    over = threading.Event()

    def poll(url: str) -> None:
        while not over.wait(POLL_S):
            try:
                if httpx.get(f"{url}/whoami", timeout=1.0).status_code == httpx.codes.OK:
                    first[url] = time.monotonic()
                    return
            except httpx.HTTPError:
                continue

    threads = [threading.Thread(target=poll, args=(url,), daemon=True) for url in urls.values()]
    for thread in threads:
        thread.start()
    try:
        yield first
    finally:
        over.set()
        for thread in threads:
            thread.join(2.0)


@contextmanager
def following(events: Path) -> Iterator[dict[str, list[float]]]:
    """While inside: a resource's type and name, e.g. "Domain vm-1" -> when its events arrived in the log."""
    seen: dict[str, list[float]] = {}
    over = threading.Event()

    def follow() -> None:
        with events.open() as log:
            rest = ""
            while True:
                last = over.is_set()
                rest += log.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    name = _resource_of(line)
                    if name:
                        seen.setdefault(name, []).append(time.monotonic())
                if last:
                    return
                time.sleep(POLL_S)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join(5.0)


def _resource_of(line: str) -> str | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    for kind in ("resourcePreEvent", "resOutputsEvent"):
        if kind in event:
            *_, kinds, name = str(event[kind]["metadata"]["urn"]).split("::")
            return f"{kinds.rsplit(':', 1)[-1]} {name}"
    return None
