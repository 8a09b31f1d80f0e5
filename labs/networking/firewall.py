"""Experiment *firewall*: who judges a packet on its way to a replica; a DROP in each place, and whose counter moved."""

from __future__ import annotations

import itertools
import random
import re
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.system.errors import LabError
from labs.networking import filters, undoing
from labs.networking.arms import ARMS
from labs.networking.filters import Rule
from labs.networking.sides import own_filter

COMMENT = "vvc-firewall"
ANSWERS_WITHIN_S = 2.0
"""A packet that is not answered is sent again after 1 s: two of them are counted."""
AT_ALL_WITHIN_S, _TIMES = 20.0, 8
"""Bound of a replica that nothing is kept from, and how many times its answer's time the others wait, if that is more:
beside other work an emulated guest may take seconds."""

_PORTS = range(61000, 65000)
"""Source ports that no kernel gives by itself: a rule that matches one of them matches that trial's packets alone."""

NOWHERE, INSIDE = "nowhere", "inside"
SERVERS = {"forward": ("filter", "FORWARD"), "input": ("filter", "INPUT"), "DOCKER-USER": ("filter", "DOCKER-USER")}
"""Place of a DROP in the server -> table and chain."""

_FIRST = ("raw", "PREROUTING")
"""Where a packet comes into a packet filter, if it comes into it at all."""

_OWN = ("filter", "INPUT")
PLACES = (NOWHERE, *SERVERS, INSIDE)
_COUNTED = re.compile(rf"--sport (?P<port>\d+) .*--comment {COMMENT}(?P<drop> -j DROP)?")
_NET_ADMIN = 12
"""The capability's bit: who has it may change rules."""


@dataclass(frozen=True)
class Trial:
    """One connection to the replica, from a port of its own, with a DROP in one place."""

    drop_in: str
    bridge_calls: str
    """What bridge-nf-call-iptables is meanwhile; "" where the kernel has no such thing."""
    port: int


def trials(found: str, first_port: int) -> list[Trial]:
    """All of one replica: each place, with the server told and not told to judge what its bridge carries. Pure."""
    settings = (found, "0" if found == "1" else "1") if found else ("",)
    pairs = [(setting, place) for setting in settings for place in PLACES]
    return [Trial(place, setting, first_port + number) for number, (setting, place) in enumerate(pairs)]


def rules(every: Iterable[Trial], client: str, drops: Mapping[str, tuple[str, str]], *more: tuple[str, str]) -> str:
    """What is loaded into one packet filter: each trial is counted in each chain, and dropped in its own. Pure.

    `drops` are the places there; `more` are chains that count only.
    """
    lines = []
    for trial in every:
        match = f"-p tcp -s {client} --sport {trial.port} -m comment --comment {COMMENT}"
        for chain in dict.fromkeys([*more, *drops.values()]):
            here = any(chain == there and trial.drop_in == place for place, there in drops.items())
            lines.append((chain[0], f"-I {chain[1]} 1 {match}{' -j DROP' if here else ''}"))
    return filters.to_load(lines)


def counted(where: str, saved: Iterable[Rule]) -> dict[int, list[tuple[str, int, bool]]]:
    """Port -> where its packets were counted, how many, and whether they were dropped there. Pure."""
    found: dict[int, list[tuple[str, int, bool]]] = {}
    for rule in saved:
        if match := _COUNTED.search(rule.text):
            told = (f"{rule.table} {rule.chain} of the {where}", rule.packets, bool(match["drop"]))
            found.setdefault(int(match["port"]), []).append(told)
    return found


def judged(trial: Trial, answer: str, counts: Sequence[tuple[str, int, bool]]) -> dict[str, Any]:
    """What is kept of a trial. Raises LabError where a packet was lost and no rule of this trial's did it. Pure.

    Who answers has got its packets, whatever was dropped: a bridge that does not know behind which port a MAC is, as
    that of a macvlan, hands a copy to each, and those are forwarded.
    """
    dropped = [(place, packets) for place, packets, drops in counts if drops and packets]
    if answer != "answered" and not dropped:
        raise LabError(
            f"With a DROP {trial.drop_in} the replica gave: {answer}, and no rule of the trial's dropped a packet: "
            "somebody else had a hand in it.",
            hint="./lab exec server-1 iptables-save -c",
        )
    by = dropped if answer != "answered" else []
    return {
        "drop_in": trial.drop_in,
        "bridge_nf_call_iptables": trial.bridge_calls,
        "answer": answer,
        "dropped_by": by[0][0] if by else "",
        "dropped_packets": sum(packets for _, packets in by),
        "dropped_copies": 0 if by else sum(packets for _, packets in dropped),
        "packets": {place: packets for place, packets, _ in counts},
    }


def ask(url: str, client: str, port: int, within_s: float) -> str:
    """Ask the replica from this port: "answered", "no answer" or "refused". Raises OSError if the port is not free."""
    target = urlsplit(url)
    with socket.socket() as asking:
        asking.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        asking.bind((client, port))
        asking.settimeout(within_s)
        try:
            asking.connect((target.hostname, target.port))
            asking.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
            return "answered" if asking.recv(1) else "refused"
        except TimeoutError:
            return "no answer"
        except OSError:
            return "refused"


def asked(url: str, client: str, ports: Sequence[int]) -> dict[int, str]:
    """What the replica gives to each of these ports: to the first, whose packets no rule drops, before the others."""
    first, *others = ports
    begin = time.monotonic()
    found = {first: ask(url, client, first, AT_ALL_WITHIN_S)}
    within_s = min(AT_ALL_WITHIN_S, max(ANSWERS_WITHIN_S, _TIMES * (time.monotonic() - begin)))
    with ThreadPoolExecutor(len(others)) as pool:  # what is not answered takes its time
        told = pool.map(lambda port: ask(url, client, port, within_s), others)
        return found | dict(zip(others, told, strict=True))


def client_of(url: str) -> str:
    """This machine's address as the replica's server sees it."""
    target = urlsplit(url)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as looking:
        looking.connect((target.hostname, target.port))  # of a datagram's socket: nothing is sent
        return str(looking.getsockname()[0])


def measure(place: Place, turn: Turn) -> Seen:
    """All trials of the replica of one arm."""
    replica = place.along(turn.arm)
    run = place.run(replica)
    own = own_filter.OF[replica.side](place, replica)
    shared = own.namespace == own_filter.namespace(run, "self")
    client, found = client_of(replica.url), undoing.bridge_calls(run)
    every = trials(found, random.randrange(_PORTS.start, _PORTS.stop, len(PLACES) * 2))  # noqa: S311 - no secret
    try:
        servers = {**SERVERS, INSIDE: _OWN} if shared else SERVERS
        filters.load(run, rules(every, client, servers, _FIRST))
        if not shared:
            own.load(rules(every, client, {INSIDE: _OWN}))
        answers: dict[int, str] = {}
        for setting, those in itertools.groupby(every, lambda one: one.bridge_calls):
            if setting != found:
                undoing.set_bridge_calls(run, setting)
            answers |= asked(replica.url, client, [one.port for one in those])
        counts = counted("server", filters.read(run(list(filters.SAVED)).output))
        for port, more in ({} if shared else counted("replica", filters.read(own.saved()))).items():
            counts[port] = counts.get(port, []) + more
    finally:
        own.remove()
        undoing.restore(place)
    told = [judged(trial, answers[trial.port], counts.get(trial.port, [])) for trial in every]
    status = place.inside(replica)(["cat", "/proc/self/status"]).output
    facts = {
        "path": replica.path,
        "bridge_nf_call_as_found": found,
        "own_filter": "its server's" if shared else own.where,
        "may_change_rules": may_change_rules(status),
        "trials": told,
    }
    return Seen(
        {"stopped_trials": float(sum(1 for one in told if one["dropped_by"]))},
        facts=facts,
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
        replica=replica,
    )


def may_change_rules(status: str) -> bool:
    """From /proc/self/status inside a replica: whether it may change the rules of its network namespace. Pure."""
    told = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return bool(told and int(told[1], 16) >> _NET_ADMIN & 1)


def restore(place: Place) -> None:
    """Rules go, in the servers and in the replicas, and bridge-nf-call-iptables is on."""
    undoing.restore(place)
    for replica in place.contract.replicas:
        own_filter.CLEAR[replica.side](place, replica)


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:  # noqa: ARG001 - what is seen once is seen
    """Once an arm."""
    return take_turns([arm for arm in ARMS.values() if arm.side in sides], 1, warm_ups=0)


EXPERIMENT = Experiment(
    name="firewall",
    question="Who judges a packet on its way to a replica: its server's packet filter, or its own?",
    prediction="Which replicas does a DROP in their server's packet filter cut off?",
    turns=turns,
    measure=measure,
    restore=restore,
)
