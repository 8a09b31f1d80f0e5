"""What the article says that this lab can put to the test."""

from __future__ import annotations

from labkit.judge.model import Claim, Measured
from labkit.runs.records import Arm
from labs.deployment.metrics import METRICS

VM, CONTAINER = Arm("vm"), Arm("container")

_A_WHOLE_SYSTEM = 1.5
_WHY_A_WHOLE_SYSTEM = (
    "less than half as much again is a matter of which packages one picks, not of carrying an operating system"
)
_WAITED_FOR = 1.5
_WHY_WAITED_FOR = (
    "repeats on one busy machine differ by tens of per cent, and who waits hardly notices less than half as long again"
)

_BOOTS = (
    "Firecracker, NSDI 2020: a micro-VM boots in 110 to 160 ms, one under QEMU in 244 ms (median). "
    "A stock cloud image takes 7 to 9 s on bare metal, a container 0.3 to 0.6 s to start."
)

CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="image-takes-more-disk",
        row="Size",
        text="A VM's disk image takes more of the server's disk than a container's image.",
        metric=METRICS["image_allocated_bytes"],
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
        metric=METRICS["image_compressed_bytes"],
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
        metric=METRICS["second_replica_bytes"],
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="bytes",
        because="both share their image, so that only what is written counts: a guest writes its host key, the "
        "service's files and its file system's own records into its overlay, a container only what the service writes.",
        effect_because=_WHY_A_WHOLE_SYSTEM,
    ),
    Measured(
        name="deploys-slower",
        row="Speed",
        text="From nothing, a VM takes longer to answer than a container.",
        metric=METRICS["deploy_s"],
        greater=VM,
        other=CONTAINER,
        effect=_WAITED_FOR,
        bound_by="cpu",
        because="a new guest boots a kernel and an init and is then configured over ssh; "
        "a new container is a process in new namespaces, configured by its image.",
        reference=_BOOTS,
        effect_because=_WHY_WAITED_FOR,
    ),
    Measured(
        name="starts-slower",
        row="Speed",
        text="Switched off but configured, a VM takes longer to answer than a container.",
        metric=METRICS["start_s"],
        greater=VM,
        other=CONTAINER,
        effect=_WAITED_FOR,
        bound_by="cpu",
        because="a guest boots a kernel and an init before its service starts; "
        "a container's first process is the service.",
        reference=_BOOTS,
        effect_because=_WHY_WAITED_FOR,
    ),
)
