"""Follows Pulumi's events as they come. Monotonic clock."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_S = 0.05
"""Resolution of the instants."""


@contextmanager
def following(events: Path) -> Iterator[dict[str, list[float]]]:
    """While inside: a resource's type and name, e.g. "Domain vm-1" -> when its events arrived in the log."""
    seen: dict[str, list[float]] = {}
    over = threading.Event()

    def follow() -> None:
        with events.open(encoding="utf-8") as log:
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
                time.sleep(_POLL_S)

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
