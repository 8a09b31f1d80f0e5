"""Experiment *operating system*: whose kernel runs a replica, what else runs in it, and who sees whose processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra import answers, plan
from infra.outputs import Replica
from labkit.judge import observed
from labkit.judge.model import Claim, Observed
from labkit.measure import marking
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.runs.records import Arm
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT_ID
from labs.deployment import kernels
from labs.deployment.sides import another_kernel

WORK = "/tmp/vvc-another-kernel"  # noqa: S108 - inside a server, where nobody else is
ASK_S = 10.0

LOOK = """
read -r kernel_release < /proc/sys/kernel/osrelease
read -r boot_id < /proc/sys/kernel/random/boot_id
read -r first_process < /proc/1/comm
echo "kernel_release $kernel_release"
echo "boot_id $boot_id"
echo "first_process $first_process"
set -- /proc/[0-9]*
echo "processes $#"
threads=0
for folder; do
    word=
    { read -r word < "$folder/cmdline"; } 2> /dev/null || [ -n "$word" ] || threads=$((threads + 1))
done
echo "kernel_threads $threads"
mounts=0
while read -r _; do mounts=$((mounts + 1)); done < /proc/self/mounts
echo "mounts $mounts"
"""
"""What a machine says of itself; in the shell alone, as each process that a guest starts would be counted as well."""

COUNTS = ("processes", "kernel_threads", "mounts")
COMMANDS = ("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")


def looked(text: str) -> dict[str, Any]:
    """The lines of LOOK; counts as numbers. Lines without a value are left out. Pure."""
    pairs = [line.split(" ", 1) for line in text.splitlines() if " " in line]
    return {name: int(value) if name in COUNTS else value.strip() for name, value in pairs}


def another(text: str) -> dict[str, str] | None:
    """What the probe said of the kernel that ran it: its release and boot id. None where it said nothing. Pure."""
    for line in text.splitlines():
        words = line.split()
        if another_kernel.PROBE_WORD in words[:1] and len(words) == len(("word", "release", "boot id")):
            return {"release": words[1], "boot_id": words[2]}
    return None


def measure(place: Place, turn: Turn) -> Seen:
    """Look at one replica from inside and from its server, then have its side run another kernel."""
    replica = place.replica(turn.side)
    run, inside = place.run(replica), place.inside(replica)
    own = looked(inside(["sh", "-c", LOOK]).output)
    server = looked(run(["sh", "-c", LOOK]).output)
    with marking.inside(place, replica) as marker:
        seen = marker in run(["ps", "-eo", "args="]).output
    with marking.in_server(place, replica) as marker:
        sees = marker in inside(list(COMMANDS)).output
    facts: dict[str, Any] = {
        "inside": own,
        "server": server,
        "server_sees_its_processes": seen,
        "it_sees_the_servers_processes": sees,
        "another_kernel": run_another_kernel(place, replica),
    }
    values = {name: float(own[name]) for name in COUNTS}
    return Seen(
        {**values, "own_processes": values["processes"] - values["kernel_threads"]},
        facts=facts,
        conditions={"client": "none", "cache": "warm", "start_line": "as it stands", "finish_line": "as it stands"},
    )


def run_another_kernel(place: Place, replica: Replica) -> dict[str, Any]:
    """Give the side files that hold another kernel and have it run them: which was carried, which ran."""
    run, server = place.run(replica), place.server(replica)
    labels = f"{plan.LAB_LABEL}={place.lab} {plan.CHECKOUT_LABEL}={CHECKOUT_ID}"
    try:
        carried = kernels.into(place, server, run, WORK, _running(place))
        run(["sh", "-c", another_kernel.TREE, "sh", WORK])
        script = another_kernel.RUN[replica.side]
        definition = another_kernel.definition(WORK, place.contract.accelerator, labels)
        told = run(["sh", "-c", script, "sh", WORK, labels, definition], 2 * another_kernel.BOOT_WITHIN_S)
    except LabError as error:
        # The rest of what was seen stands without it.
        return {"problem": error.problem.splitlines()[0]}
    finally:
        run(["sh", "-c", another_kernel.REMOVE, "sh", WORK])
    return {"carried": carried, "ran": another(told.output)}


def _running(place: Place) -> set[str]:
    """The releases that run now: those of all replicas, of which a container's is its server's."""
    return {_release(replica.url) for replica in place.contract.replicas}


def _release(url: str) -> str:
    return str(answers.whoami(url, ASK_S)["kernel_release"])


def restore(place: Place) -> None:
    """Remove what ran the other kernel, and its files."""
    for server in place.contract.servers:
        place.runner(server)(["sh", "-c", another_kernel.REMOVE, "sh", WORK])


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:  # noqa: ARG001 - what is seen once is seen
    """Once a side; of those that can be asked to run another kernel."""
    return take_turns([side for side in sides if side in another_kernel.RUN], 1, warm_ups=0)


EXPERIMENT = Experiment(
    name="operating-system",
    question="Whose kernel runs a replica, what else runs in it, and who sees whose processes?",
    prediction="Which side can run another kernel than its server's?",
    turns=turns,
    measure=measure,
    restore=restore,
)

BOTH = (Arm("vm"), Arm("container"))


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


def ran_another(vm: Mapping[str, Any], container: Mapping[str, Any]) -> tuple[bool, Mapping[str, Any]] | None:
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


CLAIMS: tuple[Claim, ...] = (
    Observed(
        name="vm-runs-its-own-kernel",
        row="Operating system",
        text="A VM runs a kernel of its own.",
        experiment="operating-system",
        observe=observed.seen("operating-system", BOTH, own_kernel),
        because="the hypervisor gives a guest a machine, and a kernel must be booted on it.",
    ),
    Observed(
        name="container-runs-its-servers-kernel",
        row="Operating system",
        text="A container has the user-mode part only: its server's kernel runs it.",
        experiment="operating-system",
        observe=observed.seen("operating-system", BOTH, servers_kernel),
        because="a container is processes of its server with namespaces and control groups around them.",
    ),
    Observed(
        name="vm-runs-a-whole-system",
        row="Operating system",
        text="A VM runs a whole operating system around the service, a container little more than the service.",
        experiment="operating-system",
        observe=observed.seen("operating-system", BOTH, whole_system),
        because="a guest's init starts what a machine needs; a container's first process is the service.",
    ),
    Observed(
        name="vm-runs-another-kernel",
        row="Operating system",
        text="A VM can run another kernel; a container given the same files runs its server's.",
        experiment="operating-system",
        observe=observed.seen("operating-system", BOTH, ran_another),
        because="QEMU loads the kernel that it is given; an engine never reads a kernel out of a container image.",
    ),
    Observed(
        name="server-sees-containers-processes",
        row="Operating system",
        text="The server sees a container's processes and not a VM's; neither sees the server's.",
        experiment="operating-system",
        observe=observed.seen("operating-system", BOTH, sight),
        because="process namespaces hide upwards only: an outer one holds all that the inner ones do. "
        "A guest's processes are known to its own kernel alone; the server has QEMU.",
    ),
)
