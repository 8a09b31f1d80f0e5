"""The conditions of a repeat that do not depend on the experiment: what each side is and what it may use.

They are read from the engines, the kernels and the service's own answer, never from the settings: the fairness guard
(labkit.judge._fairness) compares what was there, not what was wanted.
"""

from __future__ import annotations

from collections.abc import Mapping

from infra.outputs import Replica
from labkit import sides
from labkit.lifecycle import steady
from labkit.measure import clocks
from labkit.measure.experiment import Place

Value = str | int | float


def gather(place: Place, replica: Replica) -> Mapping[str, Value]:
    """Of a replica that answers. Raises LabError where it does not."""
    side, run = place.side(replica), place.run(replica)
    said, stats = steady.whoami(replica), side.stats(replica, run)
    storage = run(["df", "--output=source,fstype", side.STORAGE_DIR]).output.splitlines()[-1]
    return {
        "service_version": str(said["version"]),
        "service_commit": str(said["commit"]),
        "boot_id": str(said["boot_id"]),
        "server_boot_id": clocks.boot_id(run),
        "accelerator": sides.accelerator(replica, place.contract),
        "vcpus": stats.vcpus,
        "memory_mib": stats.memory_mib,
        "storage": " ".join(storage.split()),
        "client": "none",
        "cache": "warm",
    }
