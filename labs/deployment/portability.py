"""Experiment *portability*: a replica is moved to a second server and started there: how many bytes and seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from infra import answers, outputs
from infra.outputs import Replica
from labkit.judge import observed
from labkit.judge.model import Claim, Measured, Metric, Observed
from labkit.lifecycle import change, steady
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.runs.records import Arm, Stage
from labkit.system.carry import Carried, carry
from labkit.system.errors import LabError
from labs.deployment.sides import moving
from labs.deployment.sides.moving import Move, Part

SERVERS = 2
REPEATS, QUICK_REPEATS = 6, 1
CARRY_WITHIN_S = 300.0
ANSWERS_WITHIN_S = 240.0
_POLL_S = 0.05
"""Resolution of the first answer, see infra.answers."""

START_LINE = "stopped in order in the first server; the second has nothing of it"
FINISH_LINE = "first correct 200 from the second server"

T = TypeVar("T")
Pair = tuple[str, str]


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """No warm-up: the second place is empty before each turn. Of the sides that can be carried."""
    return take_turns([side for side in sides if side in moving.PACK], QUICK_REPEATS if quick else REPEATS, warm_ups=0)


def measure(place: Place, turn: Turn) -> Seen:
    """Stop a replica, carry it over, start it there until it answers; then it is back where it was."""
    replica = place.replica(turn.side)
    second = second_server(place)
    run, there = place.run(replica), place.runner(second)
    place.side(replica).stop(replica, run)
    try:
        move = moving.PACK[turn.side](replica, run)
        try:
            carried, carry_s = _timed(lambda: {part.name: _carry(place, replica, second, part) for part in move.parts})
            # What runs writes: digests are taken while both copies are at rest.
            same = {part.name: _digests(place, replica, second, part) for part in move.parts if part.digest}
            _, start_s = _timed(lambda: _start(place, replica, second, move))
            identity = there(moving.IDENTITY[turn.side](move)).output.strip()
        finally:
            there(move.remove)
    finally:
        place.side(replica).start(replica, run)
        answers.wait_until_ready(replica.url, replica.name, place.contract.service_version, ANSWERS_WITHIN_S)
    return seen(move, carried, (carry_s, start_s), (same, identity))


def second_server(place: Place) -> outputs.Server:
    """The lab's empty second server: it comes with the first turn, and stays until `restore`."""
    contract = change.now(place)
    if len(contract.servers) < SERVERS:
        with place.progress.step("A second server, to move to"):
            contract = change.up(place, {"servers": SERVERS})
    return contract.servers[SERVERS - 1]


def _timed(act: Callable[[], T]) -> tuple[T, float]:
    begin = time.monotonic()
    return act(), time.monotonic() - begin


def _start(place: Place, replica: Replica, second: outputs.Server, move: Move) -> None:
    place.runner(second)(move.start)
    url = moving.URL[replica.side](replica, second)
    answers.wait_until_ready(url, replica.name, place.contract.service_version, ANSWERS_WITHIN_S)


def seen(
    move: Move, carried: Mapping[str, Carried], seconds: tuple[float, float], proof: tuple[Mapping[str, Pair], str]
) -> Seen:
    """The turn's values and evidence: seconds to carry and to start; digests in both places and the identity there.

    Pure.
    """
    (carry_s, start_s), (same, identity) = seconds, proof
    facts: dict[str, Any] = {
        "parts": {name: {"bytes": one.bytes, "sha256_on_the_way": one.sha256} for name, one in carried.items()},
        "digests": {name: {"first": before, "second": after} for name, (before, after) in same.items()},
        "image_id": {"first": move.identity, "second": identity},
        "started_by": move.started_by,
        "same": identity == move.identity and all(before == after for before, after in same.values()),
    }
    return Seen(
        {
            "moved_bytes": float(sum(one.bytes for one in carried.values())),
            "carry_s": round(carry_s, 3),
            "start_there_s": round(start_s, 3),
            "moved_s": round(carry_s + start_s, 3),
        },
        stages=[
            Stage("carry over", carry_s, "monotonic clock around the pipes", 0.001),
            Stage("start there until it answers", start_s, "GET /whoami polled", _POLL_S),
        ],
        facts=facts,
        conditions={"start_line": START_LINE, "finish_line": FINISH_LINE, "client": "none", "cache": "cold"},
    )


def _carry(place: Place, replica: Replica, second: outputs.Server, part: Part) -> Carried:
    place.progress.detail(f"carrying {part.name}")
    source = place.server(replica).reach.words(part.read)
    return carry(source, second.reach.words(part.write, stdin=True), CARRY_WITHIN_S)


def _digests(place: Place, replica: Replica, second: outputs.Server, part: Part) -> Pair:
    """Of the content that was carried, in the first place and in the second."""
    return place.run(replica)(part.digest).output.strip(), place.runner(second)(part.digest).output.strip()


def restore(place: Place) -> None:
    """The second server goes, with what was moved to it; the replicas run where they were."""
    change.as_committed(place)
    for replica in place.contract.replicas:
        if steady.wrong(replica, place.contract.service_version):
            # It may be on its way down still; what is off can be started.
            with suppress(LabError):
                place.side(replica).stop(replica, place.run(replica))
    steady.bring_back(place)


EXPERIMENT = Experiment(
    name="portability",
    question="A replica is moved to a second server and started there: how many bytes, how many seconds?",
    prediction="Which side moves fewer bytes, and how many times as many does the other move?",
    turns=turns,
    measure=measure,
    restore=restore,
)

VM, CONTAINER = Arm("vm"), Arm("container")
BOTH = (VM, CONTAINER)


def same_elsewhere(vm: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """Both were started in a second server from content with the same digest."""
    evidence = {
        **{f"the VM's {name}": _both(pair) for name, pair in vm["digests"].items()},
        "the container's image": _both(container["image_id"]),
        **{f"the container's {name}": _both(pair) for name, pair in container["digests"].items()},
    }
    return bool(vm["same"] and container["same"]), evidence


def _both(pair: Mapping[str, str]) -> str:
    """A digest on the first and on the second server, as much of it as a person compares."""
    first, second = (pair[place].removeprefix("sha256:")[:12] or "nothing" for place in ("first", "second"))
    return f"{first} on both" if pair["first"] == pair["second"] else f"{first} on the first, {second} on the second"


def by_hand(vm: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
    """Each was started in the second server by its own manager, one by one."""
    if "started_by" not in vm or "started_by" not in container:
        return None
    evidence = {"the VM was started by": vm["started_by"], "the container was started by": container["started_by"]}
    return vm["started_by"].startswith("virsh ") and container["started_by"].startswith("docker "), evidence


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="each-has-its-own-manager",
        row="Deployment",
        text="A VM is deployed by a manager for single VMs, a container by an engine from the command line.",
        experiment="portability",
        observe=observed.seen("portability", BOTH, by_hand),
        because="libvirt (here for Hyper-V Manager) defines and starts one domain at a time, the engine one container; "
        "the orchestrator for many is put to the test in the lab failover.",
    ),
    Observed(
        name="same-digest-runs-elsewhere",
        row="Deployment",
        text="Both run in a second place, from content with the same digest.",
        experiment="portability",
        observe=observed.seen("portability", BOTH, same_elsewhere),
        because="a container image is named by the digest of its content; a disk image is a file that one digests.",
    ),
    Measured(
        name="moving-takes-more-bytes",
        row="Deployment",
        text="To move a VM to a second place takes more bytes than to move a container.",
        metric=Metric(
            "moved_bytes",
            "bytes",
            "What goes to a second server that has nothing of a replica, until it can be started there: its image "
            "and data.\n\nNot exact: data and logs of a replica grow while it runs.",
            experiment="portability",
            value="moved_bytes",
            example=284158516,
        ),
        greater=VM,
        other=CONTAINER,
        effect=1.5,
        bound_by="bytes",
        because="a disk image goes along with kernel, initrd and overlay; a container's image has the service's "
        "packages only.",
        effect_because="less than half as much again is a matter of which packages one picks",
    ),
    Measured(
        name="moves-slower",
        row="Deployment",
        text="A VM takes longer to answer in a second place than a container.",
        metric=Metric(
            "moved_s",
            "s",
            "Seconds to carry a stopped replica to a second server and start it there, to the first correct 200.",
            experiment="portability",
            value="moved_s",
            example=18.6,
        ),
        greater=VM,
        other=CONTAINER,
        effect=1.5,
        bound_by="cpu",
        because="there are more bytes to carry, and a guest must boot before its service starts.",
        effect_because="repeats on one busy machine differ by tens of per cent",
    ),
)
