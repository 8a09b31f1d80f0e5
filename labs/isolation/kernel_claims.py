"""What the lab claims of kernels: whom a panic ends, and for whom a parameter holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from infra.sides import KINDS
from labkit.judge import words
from labkit.judge.model import Claim, Observed, Row
from labkit.judge.observed import seen
from labkit.measure.labs import Table
from labkit.runs.records import Arm, Repeat, Run
from labs.isolation import kernel, sights

Facts = Mapping[str, Any]
VM, CONTAINER = Arm("vm"), Arm("container")


def panic_ends_one(vm: Facts) -> tuple[bool, Facts]:
    """It said that it panicked and booted anew; nobody else's process, and not its server, did."""
    by_name = {one["replica"]: one for one in vm["replicas"]}
    own, others = by_name.pop(vm["panicked"]), list(by_name.values())
    ended = [one["replica"] for one in others if not one["ran_on"]]
    evidence = {
        "its kernel's last words": vm["said"],
        "boot id before": own["boot_id_before"],
        "boot id after": own["boot_id_after"],
        "boot id of the server before": vm["server"]["before"],
        "boot id of the server after": vm["server"]["after"],
        "ran on, same process": ", ".join(one["replica"] for one in others if one["ran_on"]) or "nobody",
        "ended as well": ", ".join(ended) or "nobody",
    }
    anew = own["boot_id_before"] != own["boot_id_after"]
    stays = vm["server"]["before"] == vm["server"]["after"]
    sides = {KINDS[one["side"]].shares_kernel for one in others}
    return "panic" in vm["said"] and anew and stays and not ended and sides == {True, False}, evidence


def shared_holds_for_all(container: Facts, vm: Facts) -> tuple[bool, Facts]:
    """A container's boot id is its server's; what was set for it is read by its server and each container there.

    A guest reads it nowhere but where it was set for that guest, which then nobody else does.
    """
    ids, shared = container["boot_id"], container["shared"]
    evidence = {
        "boot id of the container": ids["inside"],
        "boot id of its server": ids["server"],
        "parameter": shared["parameter"],
        f"set for {container['set_for']}, seen by": ", ".join(shared["seen_by"]) or "nobody",
        f"set for {vm['set_for']}, seen by": ", ".join(vm["shared"]["seen_by"]) or "nobody",
    }
    for_all = set(shared["seen_by"]) == {"server", *container["on_the_servers_kernel"]}
    for_one = vm["shared"]["seen_by"] == [vm["set_for"]]
    return ids["inside"] == ids["server"] and for_all and for_one, evidence


def own_holds_for_one(container: Facts, vm: Facts) -> tuple[bool, Facts]:
    """One that each network namespace has its own of is read by that replica alone, on both sides."""
    evidence = {
        "parameter": container["own"]["parameter"],
        **{
            f"set for {one['set_for']}, seen by": ", ".join(one["own"]["seen_by"]) or "nobody"
            for one in (container, vm)
        },
    }
    return all(one["own"]["seen_by"] == [one["set_for"]] for one in (container, vm)), evidence


def table(run: Run, _rows: Sequence[Row]) -> Table:
    """What was done to one replica, and whom it reached."""
    lines = [line for repeat in sights.counting(run, "kernel") for line in _lines(repeat)]
    return Table("Whom a kernel's end and its parameters reach", ("done to", "what", "reached", "from inside"), lines)


def _lines(repeat: Repeat) -> Iterator[tuple[str, str, str, str]]:
    facts, values = repeat.facts, repeat.values
    if repeat.action == kernel.PANIC:
        ended = [one["replica"] for one in facts["replicas"] if not one["ran_on"]]
        lost = f"{values['others_failed']:g} of {values['others_requests']:g} requests to the others lost"
        back = f"back from another boot after {words.quantity(values['back_s'], 's')}"
        yield facts["panicked"], "its kernel panics", f"{', '.join(ended)}; {lost}", back
        return
    for what in ("own", "shared"):
        one = facts[what]
        refused = f"refused: {one['it_is_refused']}" if one["it_is_refused"] else "may be set"
        yield facts["set_for"], f"{one['parameter']} is one more", ", ".join(one["seen_by"]) or "nobody", refused


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="panic-ends-its-guest-alone",
        row="Isolation",
        text="A guest's panic ends that guest alone.",
        experiment="kernel",
        observe=seen("kernel", (VM,), panic_ends_one, kernel.PANIC),
        because="the kernel that dies has one machine, which QEMU imitates in a process of the server; the server's "
        "kernel goes on, and with it all other processes. A container has no kernel that could die for it.",
    ),
    Observed(
        name="one-kernel-for-all-containers",
        row="Isolation",
        text="A container's kernel is its server's, and a kernel parameter set for one holds for all.",
        experiment="kernel",
        observe=seen("kernel", (CONTAINER, VM), shared_holds_for_all, kernel.PARAMETERS),
        because="there is one kernel below all containers of a server, and most of its parameters there are once.",
    ),
    Observed(
        name="namespaced-parameter-holds-for-one",
        row="Isolation",
        text="What a kernel keeps for each network namespace can be set for one container alone, as for one VM.",
        experiment="kernel",
        observe=seen("kernel", (CONTAINER, VM), own_holds_for_one, kernel.PARAMETERS),
        because="a namespace is a second set of the same variables within one kernel; which of them have one is the "
        "kernel's choice.",
        beside="the article says nothing of namespaces",
    ),
)
