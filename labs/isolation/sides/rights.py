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

REMOVE = 'docker rm -f -v "$1" > /dev/null 2>&1 || true'


def python(place: Place, arm: Arm, program: ModuleType, word: str) -> str:
    """What a program of this lab prints inside the first replica of the arm's side, with the arm's rights."""
    source = Path(str(program.__file__)).read_text(encoding="utf-8")
    return _RUN[arm.side](place, arm, ["-c", source, word])


def restore(place: Place) -> None:
    """What was run with other rights is gone, in all servers."""
    for server in place.contract.servers:
        place.runner(server)([inside.UNDO])


def _guest(place: Place, arm: Arm, words: Sequence[str]) -> str:
    return place.inside(place.along(arm))(["python3", *words], WITHIN_S).output


def _container(place: Place, arm: Arm, words: Sequence[str]) -> str:
    replica = place.along(arm)
    if arm.factors[RIGHTS] == USUAL:
        return place.inside(replica)(["python3", *words], WITHIN_S).output
    run, name = place.run(replica), f"{plan.PREFIX}-rights-{arm.factors[RIGHTS]}"
    image = run(["docker", "inspect", "-f", "{{.Image}}", replica.handle]).output.strip()
    run(["sh", "-c", REMOVE, "sh", name])
    try:
        return run(made(place, arm, name, image, words), WITHIN_S).output
    finally:
        run(["sh", "-c", REMOVE, "sh", name])


def made(place: Place, arm: Arm, name: str, image: str, words: Sequence[str]) -> list[str]:
    """The command that runs Python in a container of this image, limited as the lab's own are. Pure."""
    contract = place.contract
    labels = plan.labels(CHECKOUT_ID, place.lab)
    return [
        *("docker", "run", "--rm", "--name", name, "--network", names.NETWORK),
        *(word for key, value in labels.items() for word in ("--label", f"{key}={value}")),
        *("--cpus", str(contract.vcpus), "--memory", f"{contract.memory_mib}m", "--user", "0"),
        *(["--privileged"] if arm.factors[RIGHTS] == PRIVILEGED else []),
        *("--entrypoint", "python3", image, *words),
    ]


_RUN: Mapping[str, Callable[[Place, Arm, Sequence[str]], str]] = {"vm": _guest, "container": _container}


def replica(place: Place, arm: Arm, index: int = 0) -> Replica:
    """A replica of the arm's side: the first, or its neighbour."""
    return place.replica(arm.side, index)
