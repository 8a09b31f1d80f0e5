"""What the experiment *adapters* does to a lab, for the suite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from labkit.measure import clocks, footprint
from labkit.measure.testing import FakeLab, Patch
from labs.networking import adapters, ends
from labs.networking.sides.adapters import SIDES
from labs.networking.sides.inside import LOOK

_LOOKED = json.dumps({"boot_id": "b", "namespace": "net:[1]", "interfaces": []})
_MEMORY = "threads 2\n" + "".join(f"{name}: 1 kB\n" for name in ("SUnreclaim", "Percpu", "KernelStack", "PageTables"))
NETWORKS, PLUGGED = "networks of adapters", "adapter "


def does(fake: FakeLab, words: Sequence[str]) -> str | None:
    """What a command of the experiment does and prints; None where it is none of its commands."""
    script = words[2] if len(words) > 2 else ""  # noqa: PLR2004 - sh -c SCRIPT
    number = words[-1]
    for side in SIDES.values():
        if script == side.prepare:
            fake.step("prepare", NETWORKS)
            return ""
        if script == side.plug:
            fake.step("plug", f"{PLUGGED}{number}")
            return "order 1.00\n"
        if script == side.unplug:
            fake.step("unplug", drop=[f"{PLUGGED}{number}"])
            return ""
        if script == side.remove:
            fake.step("remove", drop=[one for one in fake.touched if one.startswith((NETWORKS, PLUGGED))])
            return ""
    looks = {LOOK: _LOOKED, ends.SERVER: "server net:[2] b\n", **{side.own: "" for side in SIDES.values()}}
    said = _MEMORY if "/proc/meminfo" in script else looks.get(script)
    if said is not None:
        fake.step("look")
    return said


def patches() -> list[Patch]:
    """What it calls by other ways than the place."""
    return [
        (adapters, "watching", _watching),
        (adapters, "SETTLE_S", 0.0),
        (clocks, "boot_id", lambda _run: "b"),
        (clocks, "offset_s", lambda _run, _boot: 0.0),
        (footprint, "read", lambda *_words: ()),
    ]


@contextmanager
def _watching(*_words: Any) -> Iterator[Any]:
    yield lambda _within_s: "2.0 eth1 52:76:63:00:ad:01"
