"""Experiment *look*: which kernel runs a replica, and how many processes are in it."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.judge.model import Claim, Measured, Metric, Observation, Observed, Row
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.labs import Table
from labkit.runs.records import Arm, Repeat, Run

REPEATS, QUICK_REPEATS = 6, 2
BOOT_ID = ("cat", "/proc/sys/kernel/random/boot_id")
PROCESSES = ("sh", "-c", "ls -d /proc/[0-9]* | wc -l")


def turns(sides: Sequence[str], quick: bool) -> Sequence[Turn]:
    """The sides take turns; what is only looked at needs no warm-up."""
    return take_turns(sides, QUICK_REPEATS if quick else REPEATS, warm_ups=0)


def measure(place: Place, turn: Turn) -> Seen:
    """Look once at one side, from inside and from its server."""
    replica = place.replica(turn.side)
    inside, server = place.inside(replica), place.run(replica)
    facts = {"boot_id": inside(BOOT_ID).output.strip(), "server_boot_id": server(BOOT_ID).output.strip()}
    return Seen(
        values={"processes": float(inside(PROCESSES).output)},
        facts=facts,
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
    )


def restore(place: Place) -> None:
    """Nothing was changed."""


def seen(run: Run) -> list[Repeat]:
    """The repeats of this experiment that count."""
    found = run.experiment("look")
    return [repeat for repeat in found.repeats if repeat.counts] if found else []


def own_kernels(run: Run) -> Observation | None:
    """A VM's boot id differs from its server's, a container's is its server's."""
    own = {repeat.side: repeat.facts["boot_id"] != repeat.facts["server_boot_id"] for repeat in seen(run)}
    if not {"vm", "container"} <= set(own):
        return None
    return Observation(
        own["vm"] and not own["container"], {f"the {side} has a kernel of its own": one for side, one in own.items()}
    )


def kernels(run: Run, _rows: Sequence[Row]) -> Table:
    """Each side's last boot id beside its server's."""
    last = {repeat.side: repeat.facts for repeat in seen(run)}
    lines = [(side, facts["boot_id"], facts["server_boot_id"]) for side, facts in last.items()]
    return Table("Whose kernel runs it", ("side", "boot id inside", "boot id of its server"), lines)


EXPERIMENT = Experiment(
    name="look",
    question="Which kernel runs a replica, and how many processes are in it?",
    prediction="Which side has more processes, and how many times as many?",
    turns=turns,
    measure=measure,
    restore=restore,
)

CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="own-kernel",
        row="Operating system",
        text="A VM runs a kernel of its own, a container its server's.",
        experiment="look",
        observe=own_kernels,
        because="a hypervisor gives a machine, that wants a kernel; a container is its server's processes.",
    ),
    Measured(
        name="more-processes",
        row="Operating system",
        text="There are more processes in a VM than in a container.",
        metric=Metric(
            "processes",
            "processes",
            "Processes and kernel threads that are seen from inside a replica, those that look included.",
            experiment="look",
            value="processes",
            example=57,
        ),
        greater=Arm("vm"),
        other=Arm("container"),
        effect=2.0,
        bound_by="sharing",
        because="a guest has a kernel with its threads, an init and what that starts; a container has the service.",
        effect_because="a factor below two is a matter of which packages one picks",
    ),
)
