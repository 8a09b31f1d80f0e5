"""What the article says of resources, operating system and deployment, put to the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra.sides import KINDS
from labkit.judge.model import Claim, Measured, Observation, Observed
from labkit.judge.observed import seen
from labkit.runs.records import Arm, Run
from labs.deployment.metrics import METRICS

VM, CONTAINER = Arm("vm"), Arm("container")
BOTH = (VM, CONTAINER)

_MANY = 2.0
_WHY_MANY = "a factor below two is a matter of how one tunes a guest, not of having one"
_A_WHOLE_SYSTEM = 1.5
_WHY_A_WHOLE_SYSTEM = "less than half as much again is a matter of which packages one picks"
_FAULTS = ("lost", "doubled", "changed")
"""What may have happened to an acknowledged write; see labkit.measure.prober._ledger."""

_WHY_WAITED_FOR = "repeats on one busy machine differ by tens of per cent"

_FELTER = (
    "Felter et al., 2014: on the same machine CPU-bound work costs a VM under KVM about as much as a container; "
    "I/O and many small messages cost it up to twice as much."
)


def own_kernel(vm: Mapping[str, Any], _container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """The guest's boot id is not its server's."""
    inside, server = vm["inside"], vm["server"]
    evidence = {
        "kernel of the VM": inside["kernel_release"],
        "kernel of its server": server["kernel_release"],
        "boot id of the VM": inside["boot_id"],
        "boot id of its server": server["boot_id"],
    }
    return inside["boot_id"] != server["boot_id"], evidence


def servers_kernel(_vm: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """The container's boot id and release are its server's."""
    inside, server = container["inside"], container["server"]
    same = (inside["boot_id"], inside["kernel_release"]) == (server["boot_id"], server["kernel_release"])
    evidence = {
        "kernel of the container": inside["kernel_release"],
        "kernel of its server": server["kernel_release"],
        "boot id of the container": inside["boot_id"],
        "boot id of its server": server["boot_id"],
    }
    return same, evidence


def whole_system(vm: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """The guest has kernel threads and more processes of its own than the container, which has no kernel thread."""
    first, second = vm["inside"], container["inside"]
    own = [one["processes"] - one["kernel_threads"] for one in (first, second)]
    evidence = {
        "first process of the VM": first["first_process"],
        "first process of the container": second["first_process"],
        "kernel threads in the VM": first["kernel_threads"],
        "kernel threads in the container": second["kernel_threads"],
        "other processes in the VM": own[0],
        "other processes in the container": own[1],
        "mounts in the VM": first["mounts"],
        "mounts in the container": second["mounts"],
    }
    return first["kernel_threads"] > 0 and second["kernel_threads"] == 0 and own[0] > own[1], evidence


def another_kernel(vm: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
    """Given files with another kernel, the VM ran that kernel and the container its server's."""
    first, second = vm["another_kernel"], container["another_kernel"]
    if not first.get("ran") or not second.get("ran"):
        return None
    evidence = {
        "kernel in the files": first["carried"],
        "kernel that the VM ran": first["ran"]["release"],
        "kernel that the container ran": second["ran"]["release"],
        "kernel of the server": container["server"]["kernel_release"],
    }
    ran = first["ran"]["release"] == first["carried"]
    kept = second["ran"]["boot_id"] == container["server"]["boot_id"] and second["ran"]["release"] != second["carried"]
    return ran and kept, evidence


def sight(vm: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]]:
    """The server sees a container's processes and not a guest's; neither sees the server's."""
    evidence = {
        "the server sees a process in the VM": vm["server_sees_its_processes"],
        "the server sees a process in the container": container["server_sees_its_processes"],
        "the VM sees a process of the server": vm["it_sees_the_servers_processes"],
        "the container sees a process of the server": container["it_sees_the_servers_processes"],
    }
    return list(evidence.values()) == [False, True, False, False], evidence


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


def nothing_lost(run: Run) -> Observation | None:
    """All that was acknowledged in any update or roll back is stored, once, as it was sent."""
    found = run.experiment("update")
    repeats = [one for one in found.repeats if not one.problem and "ledger" in one.facts] if found else []
    if not all(any(arm.covers(one.arm) for one in repeats) for arm in BOTH):
        return None
    ledgers: dict[str, list[Mapping[str, Any]]] = {}
    for one in repeats:
        ledgers.setdefault(f"{KINDS[one.side].word} {one.action}", []).append(one.facts["ledger"])
    sound = not any(ledger[fault] for way in ledgers.values() for ledger in way for fault in _FAULTS)
    return Observation(sound, {way: _told(one) for way, one in ledgers.items()})


def _told(ledgers: Sequence[Mapping[str, Any]]) -> str:
    acknowledged = sum(ledger["acknowledged"] for ledger in ledgers)
    faults = (f"{sum(len(ledger[fault]) for ledger in ledgers)} {fault}" for fault in _FAULTS)
    return f"{acknowledged} writes acknowledged, {', '.join(faults)}, n = {len(ledgers)}"


CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="further-replica-takes-more-memory",
        row="Resource usage",
        text="One more VM takes more of the server's memory than one more container.",
        metric=METRICS["working_memory_mib"],
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
        metric=METRICS["idle_cpu_percent"],
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
        metric=METRICS["own_disk_bytes"],
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="bytes",
        because="both share their image; a guest writes keys, the service's files and its file system's records into "
        "its overlay, a container only what the service writes.",
        effect_because=_WHY_A_WHOLE_SYSTEM,
    ),
    Observed(
        name="vm-runs-its-own-kernel",
        row="Operating system",
        text="A VM runs a kernel of its own.",
        experiment="operating-system",
        observe=seen("operating-system", BOTH, own_kernel),
        because="the hypervisor gives a guest a machine, and a kernel must be booted on it.",
    ),
    Observed(
        name="container-runs-its-servers-kernel",
        row="Operating system",
        text="A container has the user-mode part only: its server's kernel runs it.",
        experiment="operating-system",
        observe=seen("operating-system", BOTH, servers_kernel),
        because="a container is processes of its server with namespaces and control groups around them.",
    ),
    Observed(
        name="vm-runs-a-whole-system",
        row="Operating system",
        text="A VM runs a whole operating system around the service, a container little more than the service.",
        experiment="operating-system",
        observe=seen("operating-system", BOTH, whole_system),
        because="a guest's init starts what a machine needs; a container's first process is the service.",
    ),
    Observed(
        name="vm-runs-another-kernel",
        row="Operating system",
        text="A VM can run another kernel; a container given the same files runs its server's.",
        experiment="operating-system",
        observe=seen("operating-system", BOTH, another_kernel),
        because="QEMU loads the kernel that it is given; an engine never reads a kernel out of a container image.",
    ),
    Observed(
        name="server-sees-containers-processes",
        row="Operating system",
        text="The server sees a container's processes and not a VM's; neither sees the server's.",
        experiment="operating-system",
        observe=seen("operating-system", BOTH, sight),
        because="process namespaces hide upwards only: an outer one holds all that the inner ones do. "
        "A guest's processes are known to its own kernel alone; the server has QEMU.",
    ),
    Observed(
        name="each-has-its-own-manager",
        row="Deployment",
        text="A VM is deployed by a manager for single VMs, a container by an engine from the command line.",
        experiment="portability",
        observe=seen("portability", BOTH, by_hand),
        because="libvirt (here for Hyper-V Manager) defines and starts one domain at a time, the engine one container; "
        "the orchestrator for many is put to the test in the lab failover.",
    ),
    Observed(
        name="same-digest-runs-elsewhere",
        row="Deployment",
        text="Both run in a second place, from content with the same digest.",
        experiment="portability",
        observe=seen("portability", BOTH, same_elsewhere),
        because="a container image is named by the digest of its content; a disk image is a file that one digests.",
    ),
    Measured(
        name="moving-takes-more-bytes",
        row="Deployment",
        text="To move a VM to a second place takes more bytes than to move a container.",
        metric=METRICS["moved_bytes"],
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="bytes",
        because="a disk image goes along with kernel, initrd and overlay; a container's image has the service's "
        "packages only.",
        effect_because=_WHY_A_WHOLE_SYSTEM,
    ),
    Measured(
        name="moves-slower",
        row="Deployment",
        text="A VM takes longer to answer in a second place than a container.",
        metric=METRICS["moved_s"],
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="cpu",
        because="there are more bytes to carry, and a guest must boot before its service starts.",
        effect_because=_WHY_WAITED_FOR,
    ),
    Measured(
        name="replacing-interrupts-longer",
        row="Deployment",
        text="Replaced by a new version, a VM is out of reach for longer than a container.",
        metric=METRICS["replaced_gap_s"],
        greater=VM,
        other=CONTAINER,
        effect=_A_WHOLE_SYSTEM,
        bound_by="cpu",
        because="a new guest boots and is configured before it answers, and the data on its old disk must be carried "
        "over; a new container takes over the volume and starts the service.",
        effect_because=_WHY_WAITED_FOR,
    ),
    Observed(
        name="updates-lose-nothing-acknowledged",
        row="Deployment",
        text="From version 1 to 2 and back, in each way of both sides, no acknowledged write is lost.",
        experiment="update",
        observe=nothing_lost,
        because="the service answers only when a write is on the disk, and each way keeps it or carries it over.",
    ),
)
