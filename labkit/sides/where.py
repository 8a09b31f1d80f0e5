"""Where a replica runs that a cluster may move: its servers are asked, since no contract can say it."""

from __future__ import annotations

import dataclasses
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


def found(replica: Replica, servers: Sequence[Server], reaching: Reaching = _reaching) -> list[tuple[Server, Replica]]:
    """The servers in which a replica runs now, with the replica as it is there: those of its side's cluster are asked.

    There is more than one where a side is split, and none while it moves. Empty if the side has no cluster.
    """
    own = [server for server in servers if server.side == replica.side]
    return [(server, _there(replica, server, handle)) for server, handle in _handles(replica, own, reaching) if handle]


def _there(replica: Replica, server: Server, handle: str) -> Replica:
    return dataclasses.replace(replica, server=server.name, handle=handle)


def _handles(replica: Replica, servers: Sequence[Server], reaching: Reaching) -> list[tuple[Server, str]]:
    def ask(server: Server) -> str:
        words = ["sh", "-c", SIDES[replica.side].WHERE, "sh", replica.name]
        try:
            return reaching(server)(words, _ASK_S).output.strip()
        except CommandError:  # it is dead, or its manager is
            return ""

    if not servers:
        return []
    with ThreadPoolExecutor(len(servers)) as pool:
        return list(zip(servers, pool.map(ask, servers), strict=True))


def leader(side: str, servers: Sequence[Server], reaching: Reaching = _reaching) -> str:
    """The name of the server that decides for a side's cluster, as the first that knows it says; "" if none does."""
    for server in servers:
        if server.side == side:
            try:
                said = reaching(server)(["sh", "-c", SIDES[side].LEADER], _ASK_S).output.strip()
            except CommandError:
                continue
            if said:
                return said
    return ""
