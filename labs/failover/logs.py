"""What Corosync, Pacemaker and Swarm's engines wrote, as instants at which parts of an outage ended. Pure.

All stamps become seconds since 1970. Lines that are cut off or of something else are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from labs.failover.outage import DETECT, FENCE, PLACE, START, Moment

_STAMP = re.compile(r"^(?P<month>[A-Z][a-z]{2}) +(?P<day>\d+) (?P<time>\d\d:\d\d:\d\d(?:\.\d+)?) (?P<rest>.*)$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HALF_A_YEAR = timedelta(days=183)
_MS = 0.001

_COROSYNC = {DETECT: re.compile(r"\[TOTEM *\] A new membership \(")}
_COROSYNC_LOST = re.compile(r"\bMembers left: ")

_PACEMAKER = {
    DETECT: r"Result of monitor operation for {name} on \S+: (?!(?i:ok|cancelled)\b)",
    FENCE: r"Operation 'off'.* targeting \S+ .*: (?:OK|complete)\b",
    PLACE: r"Initiating start operation {name}_start_0",
    START: r"Result of start operation for {name} on \S+: (?i:ok)\b",
}


def corosync(text: str, now_s: float, zone: str) -> list[Moment]:
    """When a membership without a lost server was formed. `zone` is the servers', as "+0200"."""
    return [
        Moment(DETECT, at_s, "Corosync's log: a new membership", _MS)
        for at_s, rest in _stamped(text, now_s, zone)
        if _COROSYNC[DETECT].search(rest) and _COROSYNC_LOST.search(rest)
    ]


def pacemaker(text: str, name: str, now_s: float, zone: str) -> list[Moment]:
    """When the VM of this name was found dead, its server was off, its start was asked for, and it had started."""
    told = {part: re.compile(pattern.format(name=re.escape(name))) for part, pattern in _PACEMAKER.items()}
    sources = {
        DETECT: "Pacemaker's log: its monitor",
        FENCE: "Pacemaker's log: off is confirmed",
        PLACE: "Pacemaker's log: its start is asked for",
        START: "Pacemaker's log: it has started",
    }
    return [
        Moment(part, at_s, sources[part], _MS)
        for at_s, rest in _stamped(text, now_s, zone)
        for part, pattern in told.items()
        if pattern.search(rest)
    ]


def swarm(text: str, name: str) -> list[Moment]:
    """From lines of `docker events --format '{{json .}}'`: a server or a task is lost, a task is started, it runs.

    `name` is the Swarm service's.
    """
    found: list[Moment] = []
    for line in text.splitlines():
        try:
            event: Mapping[str, Any] = json.loads(line)
            at_s, actor = event["timeNano"] / 1e9, event["Actor"]["Attributes"]
            what = (event["Type"], event["Action"])
        except (ValueError, KeyError, TypeError):
            continue
        mine = str(actor.get("com.docker.swarm.service.name", "")) == name
        if what == ("node", "update") and actor.get("state.new") in ("down", "disconnected"):
            found.append(Moment(DETECT, at_s, "an engine's events: a server is down", _MS))
        elif what == ("container", "die") and mine:
            found.append(Moment(DETECT, at_s, "an engine's events: its container died", _MS))
        elif what == ("container", "start") and mine:
            found.append(Moment(START, at_s, "an engine's events: its container has started", _MS))
        elif what == ("network", "connect"):
            found.append(Moment(PLACE, at_s, "an engine's events: its container gets its network", _MS))
    return found


def _stamped(text: str, now_s: float, zone: str) -> Iterator[tuple[float, str]]:
    """Each line's instant and the rest of it. A log has no year: it is the one by which a line is nearest to now."""
    hours, minutes = int(zone[:3]), int(zone[0] + zone[3:])
    here = timezone(timedelta(hours=hours, minutes=minutes))
    now = datetime.fromtimestamp(now_s, here)
    for line in text.splitlines():
        found = _STAMP.match(line)
        if found and found["month"] in _MONTHS:
            clock, _, fraction = found["time"].partition(".")
            month, day = _MONTHS.index(found["month"]) + 1, int(found["day"])
            hour, minute, second = (int(part) for part in clock.split(":"))
            try:
                at = datetime(now.year, month, day, hour, minute, second, tzinfo=here)
            except ValueError:
                continue
            if at - now > _HALF_A_YEAR:
                at = at.replace(year=now.year - 1)
            yield at.timestamp() + float(f"0.{fraction or 0}"), found["rest"]
