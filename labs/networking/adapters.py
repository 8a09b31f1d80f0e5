"""Experiment *adapters*: what stands at both ends of a replica's adapters, and what each further one takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from typing import Any

from infra import plan
from infra.outputs import Replica
from labkit.measure import clocks
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.sides import SIDES as KNOWN
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT_ID
from labs.networking import ends, server_memory
from labs.networking.arms import ARMS, BRIDGED, PUBLISHED
from labs.networking.sides.adapters import SIDES
from labs.networking.sides.inside import LOOK
from labs.networking.watching import Next, watching

MORE = 8
"""Further adapters of one turn, plugged one after the other and pulled in reverse."""
REPEATS, QUICK_REPEATS = 6, 1
SETTLE_S = 0.3
"""From an adapter's first word to the reading: its driver and its manager finish what they do then."""
USABLE_WITHIN_S = 60.0
PLUG_WITHIN_S = 60.0

RESOLUTION_MS = 20.0
"""Of an adapter's time: 10 of the server's /proc/uptime, as much again for placing a guest's clock on it."""

LOOKING, PLUGGING = "look", "plug"
START_LINE = "the server's manager is told to plug one more adapter in"
FINISH_LINE = "the replica's kernel says that the new interface is up and has its link"


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """Each path is looked at once; adapters are plugged into those two whose manager can do so while they run."""
    looked = [arm for arm in ARMS.values() if arm.side in sides]
    plugged = [arm for arm in (BRIDGED, PUBLISHED) if arm.side in sides and KNOWN[arm.side].PROCESSES]
    repeats, warm_ups = (QUICK_REPEATS, 0) if quick else (REPEATS, 1)
    return (
        *take_turns(looked, 1, actions=(LOOKING,), warm_ups=0),
        *take_turns(plugged, repeats, actions=(PLUGGING,), warm_ups=warm_ups),
    )


def measure(place: Place, turn: Turn) -> Seen:
    """Look at one replica's adapters from both ends, or plug further ones in."""
    replica = place.along(turn.arm)
    if turn.action == LOOKING:
        facts = look(place, replica)
        values = {"adapters": float(len(facts["adapters"]))}
        return Seen(values, facts=facts, conditions=_conditions("as it stands", "as it stands"), replica=replica)
    values, facts = plug(place, replica)
    return Seen(values, facts=facts, conditions=_conditions(START_LINE, FINISH_LINE), replica=replica)


def _conditions(start: str, finish: str) -> dict[str, str]:
    return {"client": "none", "cache": "warm", "start_line": start, "finish_line": finish}


def look(place: Place, replica: Replica) -> dict[str, Any]:
    """Both ends as they are found."""
    run, inside = place.run(replica), place.inside(replica)
    own = run(["sh", "-c", SIDES[replica.side].own, "sh", replica.handle]).output
    return ends.both(inside(["python3", "-c", LOOK]).output, run(["sh", "-c", ends.SERVER]).output, own)


def plug(place: Place, replica: Replica) -> tuple[dict[str, float], dict[str, Any]]:
    """Plug them in one by one with a reading after each, then pull them: what each takes, and what was seen."""
    run, side, memory_mib = place.run(replica), SIDES[replica.side], place.contract.memory_mib
    labels = f"{plan.LAB_LABEL}={place.lab} {plan.CHECKOUT_LABEL}={CHECKOUT_ID}"
    plugged: list[float] = []
    pulled: list[float] = []
    seen: list[str] = []
    run(["sh", "-c", side.remove, "sh", replica.handle], 2 * PLUG_WITHIN_S)  # what a killed run has left
    try:
        run(["sh", "-c", side.prepare, "sh", replica.handle, str(MORE), labels])
        ahead_s = _ahead_s(place, replica)
        with watching(place, replica) as following:
            time.sleep(SETTLE_S)
            readings = [server_memory.read(replica, run, memory_mib)]
            for number in range(1, MORE + 1):
                place.progress.detail(f"adapter {number} of {MORE}")
                ordered_s, words = _order(place, replica, number, following)
                usable_s, told = words.split(" ", 1)
                plugged.append((float(usable_s) + ahead_s - ordered_s) * 1000)
                seen.append(told)
                time.sleep(SETTLE_S)
                readings.append(server_memory.read(replica, run, memory_mib))
        both = look(place, replica)
        for number in range(MORE, 0, -1):
            begin = time.monotonic()
            run(["sh", "-c", side.unplug, "sh", replica.handle, str(number)], PLUG_WITHIN_S)
            pulled.append((time.monotonic() - begin) * 1000)
    finally:
        run(["sh", "-c", side.remove, "sh", replica.handle], 2 * PLUG_WITHIN_S)
    left = len(look(place, replica)["adapters"])
    values = {
        **server_memory.each(readings),
        "adapter_ms": round(statistics.median(plugged), 1),
        "first_adapter_ms": round(plugged[0], 1),
        "pulled_ms": round(statistics.median(pulled), 1),
    }
    facts = {
        "seen_inside": seen,
        "adapters_at_most": len(both["adapters"]),
        "adapters_afterwards": left,
        "plugged_ms": [round(ms, 1) for ms in plugged],
        "pulled_ms": [round(ms, 1) for ms in pulled],
        "resolution_ms": RESOLUTION_MS,
        "memory_mib": [dict(one.memory) for one in readings],
        "processes": [one.processes for one in readings],
        "threads": [one.threads for one in readings],
    }
    return values, facts


def _order(place: Place, replica: Replica, number: int, following: Next) -> tuple[float, str]:
    """Plug one in: seconds since the server's boot at the order, and what the replica said when it was usable."""
    words = ["sh", "-c", SIDES[replica.side].plug, "sh", replica.handle, str(number)]
    told = place.run(replica)(words, PLUG_WITHIN_S).output.split()
    if told[:1] != ["order"]:
        raise LabError(f"{replica.server} did not say when adapter {number} was ordered.", hint="./lab doctor")
    return float(told[1]), following(USABLE_WITHIN_S)


def _ahead_s(place: Place, replica: Replica) -> float:
    """What must be added to an instant of the replica's clock to have it on its server's."""
    run, inside = place.run(replica), place.inside(replica)
    return clocks.offset_s(inside, clocks.boot_id(inside)) - clocks.offset_s(run, clocks.boot_id(run))


def restore(place: Place) -> None:
    """Pull what is still plugged in, and remove what it was plugged into."""
    for server in place.contract.servers:
        for side in dict.fromkeys(replica.side for replica in place.contract.replicas if replica.server == server.name):
            place.runner(server)(["sh", "-c", SIDES[side].remove, "sh"], 2 * PLUG_WITHIN_S)


EXPERIMENT = Experiment(
    name="adapters",
    question="What stands at both ends of a replica's network adapter, and what does one more of them take?",
    prediction="Which side's adapter takes more of the server's memory, and how many times as much?",
    turns=turns,
    measure=measure,
    restore=restore,
)
