"""What the lab claims of what is seen from inside, and of whose kernel answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from labkit.judge.model import Claim, Observed
from labkit.judge.observed import seen
from labs.isolation.sides.rights import CONTAINER, CONTAINER_ROOT, VM

Facts = Mapping[str, Any]
NO, YES = "no", "yes"


def sees_none(facts: Facts) -> tuple[bool, Facts]:
    """Of three marked processes it saw neither its server's nor its neighbour's."""
    evidence = {
        "processes that it sees": facts["inside"]["processes"]["count"],
        "a marked process of its server among them": _said(facts["sees"]["server"]),
        "a marked process of its neighbour among them": _said(facts["sees"]["neighbour"]),
    }
    return not any(facts["sees"].values()), evidence


def _said(true: bool) -> str:
    return YES if true else NO


def servers_kernel_answers(vm: Facts, container: Facts) -> tuple[bool, Facts]:
    """The server's kernel itself says in which system call a container's process waits; of a guest's it knows none."""
    own, there = vm["server"]["process"], container["server"]["process"]
    evidence = {
        "a container's process, as the server's kernel has it": _process(there),
        "a guest's process, as the server's kernel has it": _process(own),
        "boot id of the container": container["inside"]["boot_id"],
        "boot id of its server": container["server"]["boot_id"],
        "boot id of the guest": vm["inside"]["boot_id"],
    }
    same = container["inside"]["boot_id"] == container["server"]["boot_id"]
    waits = there is not None and there["call"] == "read"
    return same and waits and own is None and vm["inside"]["boot_id"] != vm["server"]["boot_id"], evidence


def _process(found: Facts | None) -> str:
    if found is None:
        return "none"
    return f"{found['pid']}, inside {found['pid_inside']}, waits in the system call {found['call']}"


def shares_with_server(vm: Facts, container: Facts) -> tuple[bool, Facts]:
    """A container has its server's kernel and some of its namespaces, a guest has neither."""
    evidence = {
        "a container has in common with its server": ", ".join(container["shares"]) or "nothing",
        "a guest has in common with its server": ", ".join(vm["shares"]) or "nothing",
        "a container's root may write in /proc/sys": container["inside"]["proc_sys"]["writable"],
        "a guest's root may write in /proc/sys": vm["inside"]["proc_sys"]["writable"],
    }
    return "kernel" in container["shares"] and not vm["shares"], evidence


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="guest-sees-nobody-elses-processes",
        row="Isolation",
        text="A guest sees no process of its server and none of its neighbour.",
        experiment="reach",
        observe=seen("reach", (VM,), sees_none),
        because="processes are what a kernel keeps, and the guest's kernel has its own alone.",
    ),
    Observed(
        name="container-sees-nobody-elses-processes",
        row="Isolation",
        text="A container is isolated as processes: it sees none of its server's and none of its neighbour's.",
        experiment="reach",
        observe=seen("reach", (CONTAINER,), sees_none),
        because="the kernel shows it the processes of its own namespace alone, of all those that it keeps.",
    ),
    Observed(
        name="servers-kernel-answers-a-container",
        row="Isolation",
        text="The kernel that answers a container's system calls is its server's.",
        experiment="reach",
        observe=seen("reach", (VM, CONTAINER), servers_kernel_answers),
        because="a container's processes are the server's, with another number inside; a guest's are known to its own "
        "kernel, and the server has QEMU.",
    ),
    Observed(
        name="guest-shares-nothing-with-its-server",
        row="Isolation",
        text="A guest has no kernel and no namespace in common with its server, a container its kernel and more.",
        experiment="reach",
        observe=seen("reach", (VM, CONTAINER_ROOT), shares_with_server),
        because="an engine makes some namespaces for a container and leaves it others of its server's: time, and most "
        "engines users too.",
    ),
)
