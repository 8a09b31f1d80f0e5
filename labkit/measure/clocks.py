"""One clock for stamps from several kernels: seconds since this machine's boot (CLOCK_BOOTTIME)."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from labkit.sides import Runner
from labkit.system.errors import LabError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ASKED = 8
_SCRIPT = f"for n in $(seq {_ASKED}); do read -r up rest < /proc/uptime; echo $up; sleep 0.01; done"


def boot_s() -> float:
    """Now, in seconds since this machine's boot."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id(run: Runner) -> str:
    """Which boot of which kernel a command sees there."""
    return run(["cat", str(BOOT_ID)]).output.strip()


def offset_s(run: Runner, boot: str) -> float:
    """What must be added to an instant of the clock there, to have it on this machine's clock.

    `boot` is the boot id there. Exactly 0 where both run under one kernel. Else the kernel there is asked what time it
    is, some times over one connection; an answer can be late but not early, so that the least difference is the
    nearest. It is right to within /proc/uptime's 10 ms and the time of the fastest answer on its way. Raises LabError
    where it does not answer.
    """
    if boot == BOOT_ID.read_text(encoding="utf-8").strip():
        return 0.0
    if not (found := _differences(run)):
        raise LabError("The time there could not be read.", hint="./lab status")
    return min(found)


def _differences(run: Runner) -> list[float]:
    found: list[float] = []

    def note(line: str) -> None:
        # What leads there may say a word of its own; whether it failed, its status tells.
        with suppress(ValueError):
            found.append(boot_s() - float(line))

    run(["sh", "-c", _SCRIPT], on_line=note)
    return found
