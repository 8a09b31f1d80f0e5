"""What a neighbour can do: six kinds of misbehaviour, each bounded in time and in what it may take of the machine.

The same program does it on both sides, stress-ng; a flood of packets is iperf3's. What each may take at most is known
before it begins, and a machine that has not that much is told so instead. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DISK_MIB = 2048
"""What the neighbour that fills its disk writes at most, twice over: as much as a VM's disk has by default in all."""
FREE_MIB = 512
"""Memory that must be left to the laptop and the server beside what a neighbour takes."""
FREE_DISK_MIB = 4096
"""Disk that must be left to them."""
MAX_PROCESSES = 16000
"""What the neighbour that forks tries to have at once: stress-ng's most. No limit that a lab has lets it."""


@dataclass(frozen=True)
class Load:
    """What a misbehaviour is measured out by."""

    seconds: float
    cpus: int
    """Of the server."""
    memory_mib: int
    """RAM of a VM and limit of a container, as the lab sets them."""
    far_end: str
    """Address of the server in the lab's LAN, where what floods the network sends to."""


@dataclass(frozen=True)
class Fault:
    """One misbehaviour."""

    name: str
    what: str
    """What the neighbour does, the end of a sentence that begins with it."""
    words: Callable[[Load], tuple[str, ...]]
    """The command, inside the neighbour; it ends by itself."""
    begins: str = "dispatching hogs"
    """What it prints when it has begun."""
    memory_mib: Callable[[Load], int] = lambda _load: 0
    """What it may take of the server's memory, where nothing but itself bounds it."""
    disk_mib: int = 0
    """And of its disk."""
    needs_process_limit: bool = False
    """Whether nothing but a limit on processes bounds it: it is left out where there is none."""
    far_end: bool = False
    """Whether it sends to something that must listen in the server."""


def _stress(*words: str) -> Callable[[Load], tuple[str, ...]]:
    def command(load: Load) -> tuple[str, ...]:
        given = (
            word.format(cpus=load.cpus, twice_mib=2 * load.memory_mib, disk_mib=DISK_MIB, processes=MAX_PROCESSES)
            for word in words
        )
        return ("stress-ng", *given, "--timeout", f"{load.seconds:g}s", "--temp-path", ".")

    return command


def _flood(load: Load) -> tuple[str, ...]:
    sends = ("iperf3", "--client", load.far_end, "--port", str(FLOOD_PORT), "--udp", "--bitrate", "0")
    return (*sends, "--length", "256", "--time", f"{load.seconds:g}", "--forceflush")


FLOOD_PORT = 5201

CPU = Fault("cpu", "burns CPU, with a worker for each CPU of the server", _stress("--cpu", "{cpus}"))
MEMORY = Fault(
    "memory",
    "eats memory, twice as much as it has",
    # A kernel refuses at once what is more than all the memory that there is: four take a part each. The kernel fills
    # it for them: an emulated CPU that does so word by word is still at it when the time is over.
    _stress("--vm", "4", "--vm-bytes", "{twice_mib}m", "--vm-populate", "--vm-keep"),
    memory_mib=lambda load: 2 * load.memory_mib,
)
FORKS = Fault(
    "forks",
    "forks without end",
    _stress("--zombie", "2", "--zombie-max", "{processes}"),
    needs_process_limit=True,
)
DISK = Fault(
    "disk",
    "writes and syncs its disk full",
    _stress(
        *("--hdd", "1", "--hdd-bytes", "{disk_mib}m", "--hdd-opts", "sync", "--hdd-write-size", "1m"),
        *("--fallocate", "1", "--fallocate-bytes", "{disk_mib}m"),
    ),
    disk_mib=2 * DISK_MIB,
)
NETWORK = Fault(
    "network",
    "floods the network with small packets",
    _flood,
    begins="connected to",
    far_end=True,
)
SOCKETS = Fault("sockets", "opens files and sockets without end", _stress("--open", "{cpus}", "--sockmany", "{cpus}"))

FAULTS = {one.name: one for one in (CPU, MEMORY, FORKS, DISK, NETWORK, SOCKETS)}


@dataclass(frozen=True)
class Room:
    """What a server has left."""

    memory_mib: int
    disk_mib: int
    processes: int | None
    """How many its containers may have together; None where nothing limits them."""


def room(lines: str) -> Room:
    """Out of `ROOM`'s lines. Pure: "memory_kib 2048\\ndisk_kib 4096\\nprocesses max\\n" -> 2 MiB, 4 MiB, no limit."""
    told = dict(line.split(maxsplit=1) for line in lines.splitlines() if " " in line.strip())
    processes = told.get("processes", "max").strip()
    return Room(
        int(told["memory_kib"]) // 1024,
        int(told["disk_kib"]) // 1024,
        int(processes) if processes.isdigit() else None,
    )


def too_small(fault: Fault, load: Load, there: Room, *, limited: bool) -> str:
    """Why this neighbour is not let loose on this machine, a sentence; empty if it may be.

    One that its own limit holds takes no more than the lab has set aside for it.
    """
    takes_mib = 0 if limited else fault.memory_mib(load)
    if takes_mib and there.memory_mib < takes_mib + FREE_MIB:
        return (
            f"this machine has {there.memory_mib} MiB of memory left, and a neighbour that takes "
            f"{takes_mib} MiB must leave {FREE_MIB}; end other programs"
        )
    if fault.disk_mib and there.disk_mib < fault.disk_mib + FREE_DISK_MIB:
        return (
            f"this machine has {there.disk_mib} MiB of disk left, and a neighbour that writes "
            f"{fault.disk_mib} MiB must leave {FREE_DISK_MIB}; make room"
        )
    if fault.needs_process_limit and there.processes is None:
        return (
            "nothing limits how many processes the server's containers have, which a neighbour that "
            "forks without end must not meet; the laptop's kernel has no control group `pids`"
        )
    return ""


ROOM = """
sed -n 's/^MemAvailable: *\\([0-9]*\\) kB/memory_kib \\1/p' /proc/meminfo
echo "disk_kib $(df --output=avail -k /var/lib/docker | tail -n 1 | tr -d ' ')"
own=$(sed -n 's/^[0-9]*:\\([a-z,]*,\\)\\?memory\\(,[a-z,]*\\)\\?://p' /proc/1/cgroup)
for file in "/sys/fs/cgroup/pids${own%/}/containers/pids.max" /sys/fs/cgroup/containers/pids.max; do
    [ ! -r "$file" ] || { echo "processes $(cat "$file")"; exit 0; }
done
"""
"""In a server: what it has left, and how many processes the group of all its containers may have (its entrypoint)."""
