"""What the edge in front of a lab's clusters noted: when it took a place for UP or DOWN, by its own checks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from docker import DockerClient

from infra import plan
from labkit.lifecycle import servers

_EDGE: plan.Role = "edge"
_LINE = re.compile(r"^(?P<stamp>\S+) Server (?P<side>\S+)/(?P<place>\S+) is (?P<state>UP|DOWN)\b")


class Switch(NamedTuple):
    """The edge took one of a side's places for UP or DOWN."""

    at_s: float
    """In seconds since 1970."""
    side: str
    place: str
    state: str


def told(client: DockerClient, lab: str, since_s: float) -> list[Switch]:
    """What it has noted since then, in seconds since 1970; nothing where the lab has no edge."""
    text = "".join(
        one.logs(timestamps=True, since=int(since_s)).decode(errors="replace")
        for one in servers.beside(client, lab)
        if one.labels.get(plan.ROLE_LABEL) == _EDGE
    )
    return [one for one in read(text) if one.at_s >= since_s]


def read(text: str) -> list[Switch]:
    """From `docker logs --timestamps` of HAProxy. Pure.

    It says so twice, once with a level in front, which is left out.
    """
    return [
        Switch(instant(found["stamp"]), found["side"], found["place"], found["state"])
        for line in text.splitlines()
        if (found := _LINE.match(line))
    ]


def instant(stamp: str) -> float:
    """Seconds since 1970 of an engine's stamp in UTC, which has nanoseconds: "2026-11-27T17:50:01.123456789Z"."""
    whole, _, rest = stamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp() + float(f"0.{rest or 0}")
