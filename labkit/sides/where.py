"""Where a replica runs that a cluster may move: its servers are asked, since no contract can say it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from infra.outputs import Replica, Server
from labkit.sides import SIDES, Runner, reach
from labkit.system.errors import CommandError

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
    handles = _told(own, reaching, within_s, SIDES[replica.side].WHERE, replica.name)
    return [
        (server, dataclasses.replace(replica, server=server.name, handle=handle))
        for server, handle in zip(own, handles, strict=True)
        if handle
    ]


def leader(side: str, servers: Sequence[Server], reaching: Reaching = _reaching, within_s: float = _ASK_S) -> str:
    """The name of the server that decides for a side's cluster, as most that know it say; "" if none does.

    One that is cut off may take itself for it.
    """
    own = [server for server in servers if server.side == side]
    told = Counter(name for name in _told(own, reaching, within_s, SIDES[side].LEADER) if name)
    return max(told, key=lambda name: told[name], default="")


def _told(servers: Sequence[Server], reaching: Reaching, within_s: float, script: str, *words: str) -> list[str]:
    """What a script prints in each of these; "" where it fails: the server is dead, or its manager is."""

    def ask(server: Server) -> str:
        try:
            return reaching(server)(["sh", "-c", script, "sh", *words], within_s).output.strip()
        except CommandError:
            return ""

    if not servers:
        return []
    with ThreadPoolExecutor(len(servers)) as pool:
        return list(pool.map(ask, servers))
