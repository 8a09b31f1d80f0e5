"""Metrics of *resources*, *portability* and *update*; made and tested as those of labkit.judge.metrics."""

from __future__ import annotations

from labkit.judge.metrics import metric
from labkit.records import Repeat


@metric(unit="MiB", experiment="resources", given={"working_memory_mib": 296, "translation_cache_mib": 178}, gives=296)
def working_memory_mib(repeat: Repeat) -> float | None:
    """Memory (PSS) that the server's kernel counts for one further replica: all of QEMU, or all of the container's
    processes. QEMU's translation cache is left out: it exists only where the CPU is emulated.
    """
    return repeat.values.get("working_memory_mib")


@metric(unit="%", experiment="resources", given={"idle_cpu_percent": 0.16}, gives=0.16)
def idle_cpu_percent(repeat: Repeat) -> float | None:
    """CPU time that one further replica uses while nobody asks it anything, in percent of one CPU."""
    return repeat.values.get("idle_cpu_percent")


@metric(unit="bytes", experiment="resources", given={"own_disk_bytes": 2826240}, gives=2826240)
def own_disk_bytes(repeat: Repeat) -> float | None:
    """What one further replica has on the server's disk for itself, as allocated: overlay, or layer and volume.

    Not exact: what a running replica has written differs from repeat to repeat.
    """
    return repeat.values.get("own_disk_bytes")


@metric(unit="bytes", experiment="portability", given={"moved_bytes": 284158516}, gives=284158516)
def moved_bytes(repeat: Repeat) -> float | None:
    """What goes to a second server that has nothing of a replica, until it can be started there: its image and data.

    Not exact: data and logs of a replica grow while it runs.
    """
    return repeat.values.get("moved_bytes")


@metric(unit="s", experiment="portability", given={"moved_s": 18.6}, gives=18.6)
def moved_s(repeat: Repeat) -> float | None:
    """Seconds to carry a stopped replica to a second server and start it there, to the first correct 200."""
    return repeat.values.get("moved_s")


@metric(unit="s", experiment="update", action="replaced", given={"update_gap_s": 1.4}, gives=1.4)
def replaced_gap_s(repeat: Repeat) -> float | None:
    """The longest time without a good answer while a replica is replaced by one of another version."""
    return repeat.values.get("update_gap_s")
