"""What this lab asks of each side's cluster, and what both have in common."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from infra import names
from infra.outputs import Replica, Server
from labkit.lifecycle import steady
from labkit.lifecycle.running import RunningLab
from labkit.measure import clocks
from labkit.sides import Runner, where
from labkit.system.errors import CommandError, LabError
from labkit.system.outcome import Outcome
from labkit.system.waiting import until
from labs.failover.outage import READY, START, Moment

DEFAULT, MATCHED = "default timers", "matched timers"
"""What each project ships; and what takes a server for dead after about the same time on both sides, some 3.5 s."""

SETTLED_WITHIN_S = 120.0
"""For what a cluster is told to do while nothing is broken: a guest on an emulated CPU shuts down and boots in it."""
ANSWERS_WITHIN_S = 30.0
"""For what runs, and is not struck, to answer."""
_TICK_S = 0.02
_ASK_S = 20.0
_PAUSE_S = 0.5

_STAMPED = 'read -r up rest < /proc/uptime; if {script}; then echo "$up"; else exit 1; fi'

CUT = 'for port in /sys/class/net/eth*; do ip link set "${port##*/}" down; done'
"""In a server: as if its cables were pulled; whoever reaches into it comes another way."""
SPLIT = "-split"
"""Behind a replica's name: its second copy, which an exercise starts though the first one lives."""
SPLIT_DIR = f"{names.SHARED_DIR}/split"
"""On the storage that a side's servers share: the copy of the data, on which alone the second copy works."""

JOIN = 'for port in /sys/class/net/eth*; do ip link set "${port##*/}" up; done'


class Cluster(Protocol):
    """One side's cluster: what one does to it, and what it tells."""

    @property
    def DRAIN(self) -> str:  # noqa: N802 - a constant of each side
        """Script, in a server that lives: the server called $1 shall carry nothing from now on."""

    @property
    def MEND(self) -> str:  # noqa: N802 - a constant of each side
        """Script, in each server: it takes part again, whatever a fault had told it; what failed is forgotten."""

    @property
    def MERGE(self) -> str:  # noqa: N802 - a constant of each side
        """Script, in each server: nothing is left of a second copy of the replica $1, nor of its data."""

    @property
    def PARTS(self) -> Mapping[str, Sequence[str]]:  # noqa: N802 - a constant of each side
        """Fault -> the parts of its outage; "" for all that are not named."""

    @property
    def TIMERS(self) -> Mapping[str, Mapping[str, str]]:  # noqa: N802 - a constant of each side
        """Profile -> what it sets, name to value."""

    def kill_service(self, place: RunningLab, replica: Replica) -> float:
        """KILL to the service's process, without a word to what carries it; when, in seconds since the boot here."""

    def lead(self, place: RunningLab, replica: Replica, *, leads: bool) -> None:
        """Let the replica's server be the one that decides for its cluster, or another one."""

    def waits(self, timers: Mapping[str, str]) -> str:
        """What these timers mean, for whoever reads a report."""

    def timers(self, place: RunningLab) -> Mapping[str, str]:
        """What is in force of what a profile sets."""

    def set_timers(self, place: RunningLab, replica: Replica, wanted: Mapping[str, str]) -> None:
        """Put these in force; returns when the replica answers under them."""

    def split(self, place: RunningLab, replica: Replica, server: Server) -> Replica:
        """Start a second copy of a replica in another server, on a copy of its data, as if it were dead; it answers."""

    def identity(self, place: RunningLab, replica: Replica) -> Mapping[str, str]:
        """What tells this replica, as it is where it runs, from one that was made or booted anew."""

    def told(self, place: RunningLab, replica: Replica, since_s: float) -> Iterable[Moment]:
        """What its servers that live noted since then (seconds since 1970), on the clock of 1970."""


def of(place: RunningLab, side: str) -> list[Server]:
    """A side's servers."""
    return [server for server in place.contract.servers if server.side == side]


def whoami(replica: Replica) -> Mapping[str, Any]:
    """What a replica says of itself. Raises LabError when it does not within ANSWERS_WITHIN_S.

    It is asked again, as its edge may take one that lives for gone when a busy machine lets two checks wait.
    """
    return until(lambda: steady.asked(replica), ANSWERS_WITHIN_S, _PAUSE_S) or steady.whoami(replica)


def now(place: RunningLab, side: str, struck: Sequence[str] = ()) -> Replica:
    """A side's replica as it is where it runs; where it runs twice, not in a server that was struck."""
    replica = place.contract.side(side)[0]
    found = [one for _, one in where.found(replica, place.contract.servers, place.runner)]
    return min(found, key=lambda one: one.server in struck, default=replica)


def ask(
    place: RunningLab, servers: Iterable[Server], script: str, *words: str, within_s: float = _ASK_S
) -> list[tuple[Server, Outcome]]:
    """What a script gave in each of these that lives and does it."""
    return where.ask(list(servers), place.runner, within_s, script, *words)


def tell(place: RunningLab, servers: Iterable[Server], script: str, *words: str) -> Outcome:
    """Have the first of these that can do it do it. Raises the last one's CommandError."""
    error: LabError = LabError("No server of the side is there.", hint=f"./lab up {place.lab}")
    for server in servers:
        try:
            return place.runner(server)(["sh", "-c", script, "sh", *words], SETTLED_WITHIN_S)
        except CommandError as failed:
            error = failed
    raise error


def stamped(run: Runner, script: str, *words: str) -> float:
    """Do a script; when it began where it runs, in seconds since this machine's boot.

    Getting there takes longer than most faults, in an emulated guest seconds.
    """
    said = run(["sh", "-c", _STAMPED.format(script=script), "sh", *words]).output
    return float(said.split()[-1]) + clocks.offset_s(run, clocks.boot_id(run))


def leader(place: RunningLab, side: str) -> str:
    """The name of the server that decides. Raises LabError where none does in time."""
    found = until(lambda: where.leader(side, of(place, side), place.runner), SETTLED_WITHIN_S, _PAUSE_S)
    if not found:
        raise LabError(f"No server of the side {side} decides for its cluster.", hint=f"./lab up {place.lab}")
    return found


def await_leader(place: RunningLab, replica: Replica, *, leads: bool) -> None:
    """Wait until the replica's server decides, or another one. Raises LabError."""

    def so() -> bool:
        found = where.leader(replica.side, of(place, replica.side), place.runner)
        return bool(found) and (found == place.replica(replica.side).server) == leads

    if not until(so, SETTLED_WITHIN_S, _PAUSE_S):
        what = "does not decide" if leads else "still decides"
        raise LabError(f"{place.replica(replica.side).server} {what} for its cluster.", hint=f"./lab up {place.lab}")


def service(place: RunningLab, replica: Replica, said: Mapping[str, object]) -> Iterator[Moment]:
    """When the service's process was made and when it listened, as it says itself, on the clock of 1970."""
    inside = place.inside(replica)
    ahead_s = clocks.offset_s(inside, str(said["boot_id"])) + time.time() - clocks.boot_s()
    for part, key in ((START, "started_boottime_s"), (READY, "listening_boottime_s")):
        yield Moment(part, float(str(said[key])) + ahead_s, "the service's own /whoami", _TICK_S)
