"""What a replica's adapters take of their server: of which processes, and of its kernel. One script; the rest is pure.

Memory of a kernel has no owner that one could look at, but an account: that of the control group in which its server
runs (memory.kmem.usage_in_bytes, or `kernel` of memory.stat), as devices, their queues and their settings are charged
to whoever has them made. What /proc/meminfo says is the whole machine's: other programs there move SUnreclaim by more
between two readings than an adapter takes. It is kept beside, and judged only where there is no account.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.outputs import Replica
from labkit.measure import footprint
from labkit.sides import SIDES, Runner

_MEMINFO = ("SUnreclaim", "Percpu", "KernelStack", "PageTables")
_OF_GROUP = ("slab", "percpu", "kernel_stack", "pagetables")
"""What `kernel` sums up, for a kernel that has no such line (before 5.18)."""
_SCRIPT = """
roles() {{ {processes} }}
found=$(roles "$1")
while read -r role pid; do
    [ "$role" = daemon ] && group=$(sed -n -e 's/^[0-9]*:memory://p' -e 's/^0:://p' "/proc/$pid/cgroup" | head -n 1)
    [ "$role" = daemon ] || echo "threads $(ls "/proc/$pid/task" | wc -l)"
done << END
$found
END
# The kernel's counts lie with each CPU for a while: reading this has it add them up.
cat /proc/sys/vm/stat_refresh > /dev/null 2>&1
account="/sys/fs/cgroup/memory$group/memory.kmem.usage_in_bytes"
for _ in 1 2 3 4 5 6 7 8; do
    [ ! -r "$account" ] || echo "account kernel $(cat "$account")"
    [ ! -r "/sys/fs/cgroup$group/memory.stat" ] || sed 's/^/account /' "/sys/fs/cgroup$group/memory.stat"
    sleep 0.02
done
cat /proc/meminfo
"""
_TOLD = ("working_memory_mib", "guest_ram_mib", "hypervisor_memory_mib", "kernel_memory_mib")
"""Parts whose growth is a value of its own; all others are among what was seen at each reading."""
_MIB = 1 << 20
_KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Reading:
    """What is there now. Memory in MiB; processes and threads of the replica's own, without shared daemons."""

    memory: Mapping[str, float]
    processes: int
    threads: int

    @property
    def all_mib(self) -> float:
        """Of the replica's own processes and of the kernel; without QEMU's translation cache and without daemons."""
        return self.memory["working_memory_mib"] + self.memory["kernel_memory_mib"]


def read(replica: Replica, run: Runner, memory_mib: int) -> Reading:
    """Read it, inside the replica's server; `memory_mib` is what a guest has of RAM."""
    processes = footprint.read(replica, run)
    script = _SCRIPT.format(processes=SIDES[replica.side].PROCESSES)
    threads, kernel = told(run(["sh", "-c", script, "sh", replica.handle]).output)
    return Reading({**footprint.memory(processes, memory_mib), **kernel}, len(threads), sum(threads))


def told(text: str) -> tuple[list[int], dict[str, float]]:
    """Threads of each process, and memory of the kernel in MiB, from the script's output.

    `kernel_memory_mib` is the server's account, the least of what it was asked for: a program that comes and goes
    meanwhile adds its stack and its page tables. Where there is none, it is what the whole machine's parts sum up to.
    """
    lines = text.splitlines()
    threads = [int(line.split()[1]) for line in lines if line.startswith("threads ")]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    machine = {f"machine_{name.lower()}_mib": kib[name] / _KIB_PER_MIB for name in _MEMINFO}
    account: dict[str, int] = {}
    for _, name, value in (line.split() for line in lines if line.startswith("account ")):
        account[name] = min(int(value), account.get(name, int(value)))
    kernel = sum(machine.values())
    if account:
        kernel = account.get("kernel", sum(account.get(name, 0) for name in _OF_GROUP)) / _MIB
    return threads, {name: round(value, 3) for name, value in {**machine, "kernel_memory_mib": kernel}.items()}


def slope(values: Sequence[float]) -> float:
    """Growth from one reading to the next: the median of the slopes between all pairs (Theil and Sen).

    A single jump, as of a program that wakes up meanwhile, hardly moves it. [0, 1, 2, 3, 14] -> 1
    """
    pairs = itertools.combinations(enumerate(values), 2)
    return statistics.median((later - earlier) / (n - m) for (m, earlier), (n, later) in pairs)


def each(readings: Sequence[Reading]) -> dict[str, float]:
    """What one more adapter takes, from readings with none, one, two … of them."""
    names = [name for name in _TOLD if all(name in one.memory for one in readings)]
    parts = {name: slope([one.memory[name] for one in readings]) for name in names}
    more = len(readings) - 1
    return {
        "adapter_memory_mib": round(slope([one.all_mib for one in readings]), 4),
        **{f"adapter_{name}": round(value, 4) for name, value in parts.items()},
        "adapter_processes": (readings[-1].processes - readings[0].processes) / more,
        "adapter_threads": (readings[-1].threads - readings[0].threads) / more,
        "translation_cache_mib": readings[-1].memory["translation_cache_mib"],
    }
