"""How a program runs inside with more or fewer rights: what each side calls that, and what it puts the program into.

As the lab runs it (`usual`) a container's program is the service's user. As `root` and `privileged` it runs in a
container of its own, of the same image and limits, on the server's engine: `vvc-rights-…`, by which it is found and
removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

from infra import names, plan
from infra.outputs import Replica
from labkit.lifecycle import inside
from labkit.measure.experiment import Place
from labkit.runs.records import Arm
from labkit.system.errors import CommandError, LabError
from labkit.system.paths import CHECKOUT_ID

RIGHTS = "rights"
"""The factor's name."""

USUAL, ROOT, PRIVILEGED = "usual", "root", "privileged"
WITHIN_S = 120.0

VM = Arm("vm", {RIGHTS: ROOT})
CONTAINER, CONTAINER_ROOT, CONTAINER_PRIVILEGED = (
    Arm("container", {RIGHTS: rights}) for rights in (USUAL, ROOT, PRIVILEGED)
)
ARMS = (VM, CONTAINER, CONTAINER_ROOT, CONTAINER_PRIVILEGED)
"""Whoever is in a guest is its root: there is no other user in it that one could come in as."""

PRIVILEGED_WHOLE = "root, --privileged"
DEVICES_REFUSED = "devices.allow"
"""What an engine names that may not hand on all devices, where control groups are of version 1."""

GIVEN: Mapping[str, Mapping[str, Sequence[str]]] = {
    ROOT: {"root, as an engine runs it": ()},
    PRIVILEGED: {
        PRIVILEGED_WHOLE: ("--privileged",),
        "root, all that --privileged gives but devices and /sys": (
            *("--cap-add", "ALL", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
            *("--security-opt", "systempaths=unconfined"),
        ),
    },
}
"""Rights -> what an engine is told, in words and in its own; the next one where it cannot do the first."""

REMOVE = 'docker rm -f -v "$1" > /dev/null 2>&1 || true'


def python(place: Place, arm: Arm, program: ModuleType, word: str) -> tuple[str, str]:
    """What a program of this lab prints inside, with the arm's rights, and as what it was run, in words."""
    source = Path(str(program.__file__)).read_text(encoding="utf-8")
    return _RUN[arm.side](place, arm, ["-c", source, word])


def restore(place: Place) -> None:
    """What was run with other rights is gone, in all servers."""
    for server in place.contract.servers:
        place.runner(server)([inside.UNDO])


def _guest(place: Place, arm: Arm, words: Sequence[str]) -> tuple[str, str]:
    return place.inside(place.along(arm))(["python3", *words], WITHIN_S).output, "root of the guest"


def _container(place: Place, arm: Arm, words: Sequence[str]) -> tuple[str, str]:
    replica, asked = place.along(arm), arm.factors[RIGHTS]
    if asked == USUAL:
        return place.inside(replica)(["python3", *words], WITHIN_S).output, "the service's user, in its container"
    run = place.run(replica)
    image = run(["docker", "inspect", "-f", "{{.Image}}", replica.handle]).output.strip()
    for how, flags in GIVEN[asked].items():
        name = f"{plan.PREFIX}-rights-{asked}"
        run(["sh", "-c", REMOVE, "sh", name])
        try:
            return run(made(place, name, flags, image, words), WITHIN_S).output, how
        except CommandError as error:
            # A server that may not open all devices itself can hand no container all of them.
            if how != PRIVILEGED_WHOLE or DEVICES_REFUSED not in error.outcome.output:
                raise
        finally:
            run(["sh", "-c", REMOVE, "sh", name])
    raise LabError(f"No container of {replica.name}'s image ran as {asked}.", hint=f"./lab status {place.lab}")


def made(place: Place, name: str, flags: Sequence[str], image: str, words: Sequence[str]) -> list[str]:
    """The command that runs Python in a container of this image, limited as the lab's own are. Pure."""
    contract = place.contract
    labels = plan.labels(CHECKOUT_ID, place.lab)
    return [
        *("docker", "run", "--rm", "--name", name, "--network", names.NETWORK),
        *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
        *("--cpus", str(contract.vcpus), "--memory", f"{contract.memory_mib}m", "--user", "0", *flags),
        *("--entrypoint", "python3", image, *words),
    ]


_RUN: Mapping[str, Callable[[Place, Arm, Sequence[str]], tuple[str, str]]] = {"vm": _guest, "container": _container}


def replica(place: Place, arm: Arm, index: int = 0) -> Replica:
    """A replica of the arm's side: the first, or its neighbour."""
    return place.replica(arm.side, index)
