"""Where a replica runs that a cluster may move: its servers are asked, since no contract can say it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from infra.outputs import Replica, Server
from labkit.sides import SIDES, Runner, reach
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome

_ASK_S = 10.0

Reaching = Callable[[Server], Runner]
"""Server -> what runs a command inside it."""


def _reaching(server: Server) -> Runner:
    return reach.runner(server.reach)


def found(
    replica: Replica, servers: Sequence[Server], reaching: Reaching = _reaching, within_s: float = _ASK_S
) -> list[tuple[Server, Replica]]:
    """The servers in which a replica runs now, with the replica as it is there: those of its side's cluster are asked.

    There is more than one where a side is split, and none while it moves. Empty if the side has no cluster.
    """
    own = [server for server in servers if server.side == replica.side]
    return [
        (server, dataclasses.replace(replica, server=server.name, handle=handle))
        for server, outcome in ask(own, reaching, within_s, SIDES[replica.side].WHERE, replica.name)
        if (handle := outcome.output.strip())
    ]


def leader(side: str, servers: Sequence[Server], reaching: Reaching = _reaching, within_s: float = _ASK_S) -> str:
    """The name of the server that decides for a side's cluster, as most that know it say; "" if none does.

    One that is cut off may take itself for it.
    """
    own = [server for server in servers if server.side == side]
    answers = ask(own, reaching, within_s, SIDES[side].LEADER)
    told = Counter(name for _, outcome in answers if (name := outcome.output.strip()))
    return max(told, key=lambda name: told[name], default="")


def ask(
    servers: Sequence[Server], reaching: Reaching, within_s: float, script: str, *words: str
) -> list[tuple[Server, Outcome]]:
    """What a script gave in each of these, asked all at once; without those that are dead, or where it fails."""

    def one(server: Server) -> Outcome | None:
        try:
            return reaching(server)(["sh", "-c", script, "sh", *words], within_s)
        except CommandError:
            return None

    if not servers:
        return []
    with ThreadPoolExecutor(len(servers)) as pool:
        return [(server, told) for server, told in zip(servers, pool.map(one, servers), strict=True) if told]
