"""Experiment *size*: what each side's image and each side's further replica take of a disk, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from infra.outputs import Replica
from labkit.judge.model import Claim, Measured, Metric
from labkit.measure import footprint
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.growth import Growth
from labkit.runs.records import Arm
from labkit.sides import COMPRESSOR, SIDES

_LIST = ["dpkg-query", "-W", "-f", "${Package} ${Installed-Size}\\n"]
_KIB = 1024
_SECOND = 2

_growth = Growth()


def turns(sides: Sequence[str], quick: bool) -> Sequence[Turn]:  # noqa: ARG001 - bytes are the same each time
    """Each side once: bytes are counted, not timed."""
    return take_turns([side for side in sides if SIDES[side].DISK], 1, warm_ups=0)


def measure(place: Place, turn: Turn) -> Seen:
    """Count the bytes of one side and of its newly made second replica; name the packages that no other side has."""
    replica = place.replica(turn.side)
    sizes = place.side(replica).sizes(replica, place.run(replica))
    second = _growth.to(place, turn.number, _SECOND).side(turn.side)[_SECOND - 1]
    own = footprint.read_disk(second, place.run(second))
    packages = _packages(place, replica)
    others = [_packages(place, other) for other in _others(place, replica)]
    return Seen(
        values={
            "image_virtual_bytes": sizes.virtual_bytes,
            "image_allocated_bytes": sizes.allocated_bytes,
            "image_compressed_bytes": sizes.compressed_bytes,
            "second_replica_bytes": own["own_disk_bytes"],
            "packages": len(packages),
            "packages_bytes": sum(packages.values()),
        },
        facts={
            "image": sizes.image,
            "parts_bytes": dict(sizes.parts),
            "second_replica": {"replica": second.name, **own},
            "compressor": " ".join(COMPRESSOR),
            "packages_only_here_bytes": only_here(packages, others),
        },
        replica=second,
    )


def only_here(packages: Mapping[str, int], others: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Pure: packages that none of the others has, with their installed bytes, the largest first."""
    elsewhere = {name for other in others for name in other}
    mine = {name: size for name, size in packages.items() if name not in elsewhere}
    return dict(sorted(mine.items(), key=lambda item: (-item[1], item[0])))


def parse(text: str) -> dict[str, int]:
    """Pure: package -> installed bytes, from lines "NAME KIB" (dpkg counts in KiB and rounds up)."""
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) * _KIB for row in rows if len(row) > 1}


def _packages(place: Place, replica: Replica) -> dict[str, int]:
    return parse(place.inside(replica)(_LIST).output)


def _others(place: Place, replica: Replica) -> list[Replica]:
    sides = dict.fromkeys(one.side for one in place.contract.replicas if one.side != replica.side)
    return [place.replica(side) for side in sides]


EXPERIMENT = Experiment(
    name="size",
    question="How much disk does each side's image take, and how much each further replica?",
    prediction="Which side's image is larger, and by how much? And the second replica on the same server?",
    turns=turns,
    measure=measure,
    restore=_growth.restore,
)

VM, CONTAINER = Arm("vm"), Arm("container")
_A_WHOLE_SYSTEM = 1.5
_WHY_A_WHOLE_SYSTEM = (
    "less than half as much again is a matter of which packages one picks, not of carrying an operating system"
)

CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="image-takes-more-disk",
        row="Size",
        text="A VM's disk image takes more of the server's disk than a container's image.",
        metric=Metric(
            "image_allocated_bytes",
            "bytes",
            "What the image takes on the server's disk, holes left out: what one must have room for.",
            experiment="size",
            value="image_allocated_bytes",
            example=600 << 20,
            exact=True,
        ),
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="bytes",
        because="a guest needs a kernel with its modules, an init and sshd besides what the service needs; "
        "a container image holds only the latter, as its server's kernel runs it.",
        effect_because=_WHY_A_WHOLE_SYSTEM,
    ),
    Measured(
        name="image-takes-more-download",
        row="Size",
        text="A VM's disk image is larger to download than a container's image.",
        metric=Metric(
            "image_compressed_bytes",
            "bytes",
            "The image compressed, by the same compressor on both sides: what one downloads.",
            experiment="size",
            value="image_compressed_bytes",
            example=220 << 20,
            exact=True,
        ),
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="bytes",
        because="holes and zeros compress to nothing, so that what is left is the same files: kernel, modules, init.",
        effect_because=_WHY_A_WHOLE_SYSTEM,
    ),
    Measured(
        name="second-replica-takes-more-disk",
        row="Size",
        text="One more VM takes more of the server's disk than one more container.",
        metric=Metric(
            "second_replica_bytes",
            "bytes",
            "What one more replica, newly made, takes on disk: overlay, or layer and volume; "
            "the service's data on both.",
            experiment="size",
            value="second_replica_bytes",
            example=8 << 20,
            exact=True,
        ),
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="bytes",
        because="both share their image, so that only what is written counts: a guest writes its host key, the "
        "service's files and its file system's own records into its overlay, a container only what the service writes.",
        effect_because=_WHY_A_WHOLE_SYSTEM,
    ),
)
