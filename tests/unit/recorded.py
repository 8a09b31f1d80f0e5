"""Real captures of the experiment *path*, as it took them from a lab's interfaces: one folder a path.

The server's file, and the replica's own where it has a network of its own; `ip -json link` of each, without what nobody
reads; and `asked.json`: from which port, with which mark, past which port of the server's the request went.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labkit.runs.records import Repeat, Results, Run
from labs.networking import hops, packets, path
from labs.networking.arms import ARMS
from labs.networking.hops import Hop, Sight
from tests.unit import runs

FOLDER = Path(__file__).with_name("path")


def asked(name: str) -> Mapping[str, Any]:
    """What was asked along this path."""
    found: Mapping[str, Any] = json.loads((FOLDER / name / "asked.json").read_text(encoding="utf-8"))
    return found


def sights(name: str) -> list[Sight]:
    """What was seen along this path."""
    it = asked(name)
    found = []
    for place, clock, file in zip(it["places"], it["clocks"], ("server", "inside"), strict=False):
        links = (FOLDER / name / f"{file}.json").read_text(encoding="utf-8")
        seen = packets.read((FOLDER / name / f"{file}.pcap").read_bytes())
        found.append(Sight(place, clock, hops.interfaces(links), seen))
    return found


def journeys(name: str) -> dict[str, list[Hop]]:
    """The ways of this path's packets."""
    it = asked(name)
    return hops.journeys(sights(name), it["client"], it["mark"].encode(), it["port"])


def run(*names: str) -> Run:
    """A run that has measured these paths."""
    repeats = []
    for name in names:
        found, arm = journeys(name), ARMS[name]
        facts = {"path": hops.in_words(found[hops.REQUEST]), **hops.as_facts(found)}
        values = path.values(found[hops.REQUEST])
        repeats.append(Repeat("path", arm.side, 1, 0.0, values, facts=facts, factors=arm.factors))
    results = Results("path", path.EXPERIMENT.question, "complete", 1.0, tuple(repeats))
    return dataclasses.replace(runs.run(), lab="networking", experiments=(results,), predictions={})
