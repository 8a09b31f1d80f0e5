"""What the lab claims of attempts to get out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.judge.model import Claim, Observed
from labkit.judge.observed import seen
from labs.isolation.escapes import OWN_REACHED, SERVER_REACHED, STOPPED
from labs.isolation.sides.rights import CONTAINER, CONTAINER_PRIVILEGED, CONTAINER_ROOT, VM

Facts = Mapping[str, Any]


def _told(facts: Facts) -> dict[str, str]:
    return {
        one["attempt"]: f"stopped by {one['by']}" if one["outcome"] == STOPPED else one["outcome"]
        for one in facts["attempts"]
    }


def _some(facts: Facts, outcome: str) -> list[str]:
    return [one["attempt"] for one in facts["attempts"] if one["outcome"] == outcome]


def none_from_a_guest(vm: Facts) -> tuple[bool, Facts]:
    """Its root reached its own kernel, and no other."""
    return bool(_some(vm, OWN_REACHED)) and not _some(vm, SERVER_REACHED), _told(vm)


def none_from_a_container(usual: Facts, root: Facts) -> tuple[bool, Facts]:
    """Each was stopped that there is something for, also where it ran as root."""
    evidence = {f"{name}, as root": how for name, how in _told(root).items()}
    return all(_some(one, STOPPED) and not _some(one, SERVER_REACHED) for one in (usual, root)), evidence


def some_where_privileged(privileged: Facts) -> tuple[bool, Facts]:
    """At least one reached the server's kernel."""
    return bool(_some(privileged, SERVER_REACHED)), _told(privileged)


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="no-attempt-leaves-a-guest",
        row="Isolation",
        text="None of five attempts to get out of a guest reaches its server; a guest's root reaches its own kernel.",
        experiment="escapes",
        observe=seen("escapes", (VM,), none_from_a_guest),
        because="whatever its kernel is asked for, that kernel does it to the guest's machine; to leave it takes a "
        "flaw in QEMU or in the server's kernel, not a right.",
    ),
    Observed(
        name="no-attempt-leaves-a-container",
        row="Isolation",
        text="None of five attempts to get out of a container as an engine runs it reaches its server's kernel.",
        experiment="escapes",
        observe=seen("escapes", (CONTAINER, CONTAINER_ROOT), none_from_a_container),
        because="each meets something that the engine has set for the container: fewer capabilities, a filter of "
        "system calls, read-only mounts, a list of devices. Each of them is a setting.",
    ),
    Observed(
        name="privileged-container-reaches-its-server",
        row="Isolation",
        text="From a privileged container some of the same attempts reach its server's kernel.",
        experiment="escapes",
        observe=seen("escapes", (CONTAINER_PRIVILEGED,), some_where_privileged),
        because="a container's root is a user of its server's kernel, and `--privileged` takes off what kept it from "
        "asking that kernel.",
        beside="the article says nothing of privileged containers",
    ),
)
