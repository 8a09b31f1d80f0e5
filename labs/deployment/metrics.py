"""What this lab's claims rest on: which value of which experiment, in which unit, and what it means."""

from __future__ import annotations

from labkit.judge.metrics import Metrics
from labkit.judge.model import Metric

METRICS = Metrics(
    Metric(
        "image_allocated_bytes",
        "bytes",
        "What the image takes on the server's disk, holes left out: what one must have room for.",
        experiment="size",
        value="image_allocated_bytes",
        example=600 << 20,
        exact=True,
    ),
    Metric(
        "image_compressed_bytes",
        "bytes",
        "The image compressed, by the same compressor on both sides: what one downloads.",
        experiment="size",
        value="image_compressed_bytes",
        example=220 << 20,
        exact=True,
    ),
    Metric(
        "second_replica_bytes",
        "bytes",
        "What one more replica, newly made, takes on disk: overlay, or layer and volume; the service's data on both.",
        experiment="size",
        value="second_replica_bytes",
        example=8 << 20,
        exact=True,
    ),
    Metric(
        "deploy_s",
        "s",
        "Seconds from nothing (no guest, no container) to the first correct 200.",
        experiment="start",
        action="deploy",
        value="ready_s",
        example=31.5,
    ),
    Metric(
        "start_s",
        "s",
        "Seconds from the order to start a shut-off guest or a stopped, created container to the first correct 200.",
        experiment="start",
        action="start",
        value="ready_s",
        example=0.48,
    ),
    Metric(
        "working_memory_mib",
        "MiB",
        "Memory (PSS) that the server's kernel counts for one further replica: all of QEMU, or all of the container's\n"
        "processes. QEMU's translation cache is left out: it exists only where the CPU is emulated.",
        experiment="resources",
        value="working_memory_mib",
        example=296,
    ),
    Metric(
        "idle_cpu_percent",
        "%",
        "CPU time that one further replica uses while nobody asks it anything, in percent of one CPU.",
        experiment="resources",
        value="idle_cpu_percent",
        example=0.16,
    ),
    Metric(
        "own_disk_bytes",
        "bytes",
        "What one further replica has on the server's disk for itself, as allocated: overlay, or layer and volume.\n\n"
        "Not exact: what a running replica has written differs from repeat to repeat.",
        experiment="resources",
        value="own_disk_bytes",
        example=2826240,
    ),
    Metric(
        "moved_bytes",
        "bytes",
        "What goes to a second server that has nothing of a replica, until it can be started there: its image and "
        "data.\n\nNot exact: data and logs of a replica grow while it runs.",
        experiment="portability",
        value="moved_bytes",
        example=284158516,
    ),
    Metric(
        "moved_s",
        "s",
        "Seconds to carry a stopped replica to a second server and start it there, to the first correct 200.",
        experiment="portability",
        value="moved_s",
        example=18.6,
    ),
    Metric(
        "replaced_gap_s",
        "s",
        "The longest time without a good answer while a replica is replaced by one of another version.",
        experiment="update",
        action="replaced",
        value="update_gap_s",
        example=1.4,
    ),
)
