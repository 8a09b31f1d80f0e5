"""Experiment *resources*: what each further replica takes of the server, in memory, CPU while idle, and disk."""

from __future__ import annotations

import time
from collections.abc import Sequence

from infra.outputs import Contract, Replica
from labkit.judge.model import Claim, Measured, Metric
from labkit.measure import footprint
from labkit.measure.experiment import Experiment, Place, Seen, Turn
from labkit.measure.growth import Growth
from labkit.runs.records import Arm
from labkit.sides import SIDES

REPLICAS, QUICK_REPLICAS = 3, 2
"""Replicas a side up to which the lab grows; those after the first are measured."""
ROUNDS, QUICK_ROUNDS = 3, 1
"""How often it grows from 1: three rounds of two further replicas are the six that a verdict needs."""
SETTLE_S, WINDOW_S = 5.0, 10.0
"""Quiet time before, and length of, the window in which idle CPU is read."""

START_LINE = "a further replica answered for the first time"
FINISH_LINE = "after a quiet window, nobody asking it anything"


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """For each round the second, third … replica of each side; the action names which one it is."""
    most, rounds = (QUICK_REPLICAS, QUICK_ROUNDS) if quick else (REPLICAS, ROUNDS)
    return tuple(
        Turn(side, (most - 1) * again + index, f"replica {index + 1}")
        for again in range(rounds)
        for index in range(1, most)
        for side in sides
        if SIDES[side].PROCESSES and SIDES[side].DISK
    )


_growth = Growth()


def measure(place: Place, turn: Turn) -> Seen:
    """Make the replica of this turn, if the other side's turn has not, and read what it takes."""
    wanted = int(turn.action.split()[-1])
    contract = _growth.to(place, turn.number, wanted)
    replica = contract.side(turn.side)[wanted - 1]
    time.sleep(SETTLE_S)
    values = observe(place, replica, contract, WINDOW_S)
    return Seen(
        values,
        facts={"replica": replica.name, "replicas_a_side": wanted},
        conditions={"start_line": START_LINE, "finish_line": FINISH_LINE, "client": "none", "cache": "warm"},
        replica=replica,
    )


def observe(place: Place, replica: Replica, contract: Contract, window_s: float) -> dict[str, float]:
    """Idle CPU over a window, then memory and disk; last what the guest says, as asking it wakes it."""
    run = place.run(replica)
    before = footprint.read(replica, run, only_cpu=True)
    time.sleep(window_s)
    after = footprint.read(replica, run, only_cpu=True)
    processes = footprint.read(replica, run)
    values = {
        **footprint.cpu(before, after),
        **footprint.memory(processes, contract.memory_mib),
        **footprint.read_cgroup(processes, run),
        **footprint.read_disk(replica, run),
    }
    if words := place.side(replica).GUEST_MEMORY:
        values |= footprint.guest_memory(place.inside(replica)(words).output)
    return values


EXPERIMENT = Experiment(
    name="resources",
    question="What does each further replica take of the server: memory, CPU while idle, disk?",
    prediction="Which side takes more memory for one more replica, and how many times as much?",
    turns=turns,
    measure=measure,
    restore=_growth.restore,
)

VM, CONTAINER = Arm("vm"), Arm("container")
_MANY = 2.0
_WHY_MANY = "a factor below two is a matter of how one tunes a guest, not of having one"
_FELTER = (
    "Felter et al., 2014: on the same machine CPU-bound work costs a VM under KVM about as much as a container; "
    "I/O and many small messages cost it up to twice as much."
)

CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="further-replica-takes-more-memory",
        row="Resource usage",
        text="One more VM takes more of the server's memory than one more container.",
        metric=Metric(
            "working_memory_mib",
            "MiB",
            "Memory (PSS) that the server's kernel counts for one further replica: all of QEMU, or all of the "
            "container's\nprocesses. QEMU's translation cache is left out: it exists only where the CPU is emulated.",
            experiment="resources",
            value="working_memory_mib",
            example=296,
        ),
        greater=VM,
        other=CONTAINER,
        effect=_MANY,
        bound_by="memory",
        because="a guest keeps a kernel, an init and a page cache of its own, and QEMU stands around them; "
        "a container is its processes, whose files lie in the server's page cache once for all replicas.",
        effect_because=_WHY_MANY,
    ),
    Measured(
        name="further-replica-takes-more-cpu-while-idle",
        row="Resource usage",
        text="A VM that nobody asks anything uses more CPU than such a container.",
        metric=Metric(
            "idle_cpu_percent",
            "%",
            "CPU time that one further replica uses while nobody asks it anything, in percent of one CPU.",
            experiment="resources",
            value="idle_cpu_percent",
            example=0.16,
        ),
        greater=VM,
        other=CONTAINER,
        effect=_MANY,
        bound_by="cpu",
        because="a guest's kernel has timers of its own, and QEMU wakes for each of its devices.",
        reference=_FELTER,
        effect_because=_WHY_MANY,
    ),
    Measured(
        name="further-replica-takes-more-storage",
        row="Resource usage",
        text="One more VM takes more of the server's storage than one more container.",
        metric=Metric(
            "own_disk_bytes",
            "bytes",
            "What one further replica has on the server's disk for itself, as allocated: overlay, or layer and "
            "volume.\n\nNot exact: what a running replica has written differs from repeat to repeat.",
            experiment="resources",
            value="own_disk_bytes",
            example=2826240,
        ),
        greater=VM,
        other=CONTAINER,
        effect=1.5,
        bound_by="bytes",
        because="both share their image; a guest writes keys, the service's files and its file system's records into "
        "its overlay, a container only what the service writes.",
        effect_because="less than half as much again is a matter of which packages one picks",
    ),
)
