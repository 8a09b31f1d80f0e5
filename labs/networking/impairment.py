"""The factor *network*: as it is, or behind a delay and a loss on the server's port, which hit every arm alike.

What leaves the server for the laptop waits 20 ms, and of a hundred packets one is dropped, whichever path it came by:
all of them end in that port. It takes the kernel's netem, which small machines often lack; where it is missing, the
repeats with the factor `delayed` carry what was looked for as their mark and are not averaged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from infra.outputs import Replica
from labkit.measure.experiment import Place, Seen, Turn, take_turns
from labkit.runs.records import Arm
from labkit.sides import Runner
from labkit.system.errors import CommandError
from labs.networking.arms import ARMS

NETWORK = "network"
"""The factor's name."""
PLAIN, DELAYED = "plain", "delayed"
NETEM = "netem delay 20ms loss 1%"

_HANDLE = "7663:"
"""Ours among the queues of a port: "vc"."""
_TRIED_ON = "vvc-netem"

LOOK = f"""
ip link delete {_TRIED_ON} 2> /dev/null || true
ip tuntap add dev {_TRIED_ON} mode tap
said=$(tc qdisc add dev {_TRIED_ON} root {NETEM} 2>&1) || echo "${{said:-nothing}}"
ip link delete {_TRIED_ON}
"""
"""Prints nothing where the kernel has netem, else what tc said. A tap stands in for a port: VMs need those anyway."""

DELAY = f"tc qdisc replace dev eth0 root handle {_HANDLE} {NETEM}"
"""On the server's port in the LAN, which is in its bridge."""

UNDO = f"""
ip link delete {_TRIED_ON} 2> /dev/null || true
tc qdisc show | awk '$2 == "netem" && $3 == "{_HANDLE}" {{ print $5 }}' | while read -r port; do
    tc qdisc delete dev "$port" root
done
"""
"""Removes what `LOOK` and `DELAY` left, found by its names, whoever was killed in between."""


def arm(of: Arm, network: str = PLAIN) -> Arm:
    """An arm along a path, with its network: what these experiments' turns have, and what their claims compare."""
    return Arm(of.side, {**of.factors, NETWORK: network})


def turns(
    sides: Sequence[str], repeats: int, delayed: int, *, actions: Sequence[str] = ("",), warm_ups: int = 0
) -> tuple[Turn, ...]:
    """Every path of these sides in turn, first plain, then `delayed` repeats of each behind delay and loss."""
    own = [one for one in ARMS.values() if one.side in sides]
    plain = take_turns([arm(one) for one in own], repeats, actions=actions, warm_ups=warm_ups)
    return (*plain, *take_turns([arm(one, DELAYED) for one in own], delayed, actions=actions, warm_ups=0))


def behind(place: Place, turn: Turn, measure: Callable[[Place, Turn, Replica], Seen]) -> Seen:
    """Measure the turn's replica behind the turn's network; without values, but marked, where the kernel cannot."""
    replica = place.along(turn.arm)
    run = place.run(replica)
    if turn.factors[NETWORK] == PLAIN:
        # A run that was killed may have left its delay.
        run(["sh", "-c", UNDO])
        return measure(place, turn, replica)
    if why := cannot(run):
        return Seen({}, marks=(why,), replica=replica)
    try:
        run(["sh", "-c", DELAY])
        return measure(place, turn, replica)
    finally:
        run(["sh", "-c", UNDO])


def cannot(run: Runner) -> str:
    """Why a server's kernel cannot delay and lose packets, in a sentence that says what was tried; empty if it can."""
    said = " ".join(run(["sh", "-c", LOOK]).output.split()).removeprefix("Error: ").rstrip(".")
    takes = "not measured: it takes the kernel's module sch_netem"
    return f"{takes}; `tc qdisc add … {NETEM}` said: {said}" if said else ""


def undo(place: Place) -> None:
    """No server delays anything any more. One that is down delays nothing either."""
    for server in place.contract.servers:
        with suppress(CommandError):
            place.runner(server)(["sh", "-c", UNDO])
