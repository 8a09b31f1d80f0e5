"""What a replica takes of its server: memory by PSS, CPU time, disk. The reading is one script; the rest is pure.

PSS (proportional set size) counts a page that n processes map as 1/n for each of them, so that sums over processes
count no page twice. Source: /proc/PID/smaps of the server's kernel, in KiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from infra.outputs import Replica
from labkit.sides import SIDES, Runner

_HEAD = re.compile(r"^[0-9a-f]+-[0-9a-f]+ (\S{4}) [0-9a-f]+ \S+ \d+ *(.*)$")
_FIELD = re.compile(r"^(Size|Pss): +(\d+) kB$")
_SCRIPT = """
set -eu
roles() {{ {processes} }}
roles "$1" | while read -r role pid; do
    echo "== $role $pid $(cat "/proc/$pid/comm")"
    echo "cpu $(date +%s%N) $(cat /proc/"$pid"/task/*/schedstat | awk '{{ ns += $1 }} END {{ printf "%.0f", ns }}')"
    [ "$2" = cpu ] || cat "/proc/$pid/smaps"
    [ "$2" = cpu ] || sed -n -e 's/^[0-9]*:memory:/cgroup /p' -e 's/^0::/cgroup /p' "/proc/$pid/cgroup"
done
"""
_CGROUP = """
for file in "/sys/fs/cgroup/memory$1/memory.usage_in_bytes" "/sys/fs/cgroup$1/memory.current"; do
    [ ! -r "$file" ] || { cat "$file"; exit 0; }
done
"""
KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Mapping_:  # noqa: N801 - `Mapping` is the standard library's word
    """One mapping of a process. Sizes in KiB; `path` is empty where no file is behind it."""

    rights: str
    path: str
    size_kib: int
    pss_kib: int


@dataclass(frozen=True)
class Process:
    """A process of the server. `cpu_ns` is the CPU time of its living threads, read at the instant `at_ns`."""

    role: str
    pid: int
    name: str
    at_ns: int
    cpu_ns: int
    mappings: tuple[Mapping_, ...] = ()
    cgroup: str = ""

    @property
    def pss_mib(self) -> float:
        """Its memory."""
        return sum(one.pss_kib for one in self.mappings) / KIB_PER_MIB


def parse(text: str) -> tuple[Process, ...]:
    """The processes out of the script's output."""
    return tuple(_process(part) for part in text.split("== ")[1:])


def _process(text: str) -> Process:
    first, *lines = text.splitlines()
    role, pid, name = first.split(" ", 2)
    at_ns = cpu_ns = 0
    cgroup = ""
    mappings: list[Mapping_] = []
    for line in lines:
        if head := _HEAD.match(line):
            mappings.append(Mapping_(head[1], head[2], 0, 0))
        elif (field := _FIELD.match(line)) and mappings:
            last = mappings[-1]
            size, pss = (int(field[2]), last.pss_kib) if field[1] == "Size" else (last.size_kib, int(field[2]))
            mappings[-1] = Mapping_(last.rights, last.path, size, pss)
        elif line.startswith("cpu "):
            at_ns, cpu_ns = (int(word) for word in line.split()[1:])
        elif line.startswith("cgroup "):
            cgroup = cgroup or line.removeprefix("cgroup ")
    return Process(role, int(pid), name, at_ns, cpu_ns, tuple(mappings), cgroup)


def translation_cache_mib(mappings: Iterable[Mapping_]) -> float:
    """QEMU's translation cache (TCG): what it may both write and execute, or its split twin, a file in memory.

    Nothing else in QEMU is mapped so; with KVM there is none. Example: 262,140 KiB mapped `rwxp` without a file, of
    which 184,320 are in memory, are 180 MiB.
    """
    return (
        sum(
            one.pss_kib
            for one in mappings
            if one.path.startswith("/memfd:tcg-jit") or ("wx" in one.rights and not one.path)
        )
        / KIB_PER_MIB
    )


def guest_ram_mib(mappings: Iterable[Mapping_], memory_mib: int) -> float:
    """What of a guest's RAM the server holds: the mapping without a file that is as large as the RAM, or larger where
    the kernel has joined it with its neighbour. 0 where no process has one: a container's memory is its processes'.
    """
    large = [
        one for one in mappings if not one.path and "x" not in one.rights and one.size_kib >= memory_mib * KIB_PER_MIB
    ]
    return min(large, key=lambda one: one.size_kib).pss_kib / KIB_PER_MIB if large else 0.0


def memory(processes: Sequence[Process], memory_mib: int) -> dict[str, float]:
    """Values in MiB. `host_memory_mib` is what is the replica's own: QEMU, or the container's processes.

    `working_memory_mib` is that without the translation cache. What the engine keeps for one container (shim, proxy)
    and the daemons of all replicas have names of their own.
    """
    own = [one for one in processes if one.role == "replica"]
    mappings = [mapping for one in own for mapping in one.mappings]
    total = sum(one.pss_mib for one in own)
    cache, ram = translation_cache_mib(mappings), guest_ram_mib(mappings, memory_mib)
    values = {"host_memory_mib": total, "translation_cache_mib": cache, "working_memory_mib": total - cache}
    if ram:
        values |= {"guest_ram_mib": ram, "hypervisor_memory_mib": total - cache - ram}
    for one in processes:
        if one.role != "replica":
            name = f"{one.name.split('-')[0]}_{one.role}_memory_mib"
            values[name] = values.get(name, 0.0) + one.pss_mib
    return {name: round(value, 3) for name, value in values.items()}


def guest_memory(meminfo: str) -> dict[str, float]:
    """How a guest uses its RAM, in MiB, from its /proc/meminfo: used by programs and kernel, page cache, free."""
    kib = {line.split(":")[0]: int(line.split()[1]) for line in meminfo.splitlines() if ":" in line}
    cache = kib["Buffers"] + kib["Cached"] + kib.get("SReclaimable", 0)
    used = kib["MemTotal"] - kib["MemFree"] - cache
    parts = {"guest_used_mib": used, "guest_cache_mib": cache, "guest_free_mib": kib["MemFree"]}
    return {name: round(value / KIB_PER_MIB, 3) for name, value in parts.items()}


def cpu(before: Sequence[Process], after: Sequence[Process]) -> dict[str, float]:
    """CPU time used between two readings, in percent of one CPU: of the replica itself, and of all else.

    A process that is in one reading only does not count.
    """
    old = {one.pid: one for one in before}
    used: dict[str, float] = {"idle_cpu_percent": 0.0, "daemon_idle_cpu_percent": 0.0}
    for one in after:
        was = old.get(one.pid)
        if was is None or one.at_ns <= was.at_ns:
            continue
        name = "idle_cpu_percent" if one.role == "replica" else "daemon_idle_cpu_percent"
        # A thread that ended meanwhile takes its time along; less than nothing was not used.
        used[name] += max(0, one.cpu_ns - was.cpu_ns) * 100 / (one.at_ns - was.at_ns)
    return {name: round(value, 3) for name, value in used.items()}


def disk(text: str) -> dict[str, float]:
    """Bytes on disk of its own, part by part and in all, from "name bytes" lines."""
    values: dict[str, float] = {}
    for line in text.splitlines():
        name, number = line.split()
        values[f"{name}_bytes"] = values.get(f"{name}_bytes", 0.0) + int(number)
    return {**values, "own_disk_bytes": sum(values.values())}


def read(replica: Replica, run: Runner, *, only_cpu: bool = False) -> tuple[Process, ...]:
    """Read the processes that stand for a replica, inside its server; `only_cpu` leaves their memory out."""
    script = _SCRIPT.format(processes=SIDES[replica.side].PROCESSES)
    return parse(run(["sh", "-c", script, "sh", replica.handle, "cpu" if only_cpu else "all"]).output)


def read_disk(replica: Replica, run: Runner) -> dict[str, float]:
    """Read what a replica has on disk, inside its server."""
    return disk(run(["sh", "-c", f"set -eu; {SIDES[replica.side].DISK}", "sh", replica.handle]).output)


def read_cgroup(processes: Sequence[Process], run: Runner) -> Mapping[str, float]:
    """What the control group of a replica's first process counts, page cache included; nothing where it has no group.

    A QEMU here lies in its server's own group, as libvirt may not make one: only a limit of the whole would be read.
    """
    groups = {one.cgroup for one in processes if one.role == "replica"} - {
        one.cgroup for one in processes if one.role == "daemon"
    }
    if not groups:
        return {}
    told = run(["sh", "-c", _CGROUP, "sh", min(groups)]).output.strip()
    return {"cgroup_memory_mib": round(int(told) / KIB_PER_MIB**2, 3)} if told else {}
