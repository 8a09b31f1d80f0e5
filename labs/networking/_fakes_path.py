"""What the experiment *path* does to a lab: captures run until they end, and one request is made."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from labkit.measure.testing import FakeLab, Patch
from labs.networking import hops, path
from labs.networking.hops import Hop

ONLY_LOOKS: Mapping[tuple[str, ...], str] = {tuple(path.LINKS): "[]"}

_HOP = Hop("server-1", "eth0", "veth", "br0", "in", "10.0.0.1:1", "10.0.0.2:8000", 0.0, "server")
_FOUND = {hops.OPENING: [_HOP], hops.REQUEST: [_HOP], hops.ANSWER: [_HOP], hops.ASIDE: []}


def patches(fake: FakeLab) -> list[Patch]:
    """What stands in for captures, the request, and what they showed."""

    @contextmanager
    def capturing(_words: Any) -> Iterator[Any]:
        fake.step("a capture begins")
        fake.touched.add("a capture")
        try:
            yield SimpleNamespace(shown=io.BytesIO(), end=lambda: None, ended_well=lambda: None, lost=0)
        finally:
            fake.touched.discard("a capture")

    return [
        (path, "capturing", capturing),
        (path, "_SETTLE_S", 0.0),
        (path, "ask", lambda *_words: fake.step("ask")),
        (path, "_has_answer", lambda *_words: True),
        (hops, "journeys", lambda *_words: _FOUND),
    ]
