"""A prober must run the moment its clock says so, on a machine that others keep busy.

Niceness alone does not do it: where the kernel groups tasks by session (sched_autogroup) or by cgroup, it weighs only
within the group. With both cores of a machine busy, 300 requests a second left up to 40 ms too late (p99) at nice -10
and 1.2 ms with a real-time policy. The prober sleeps most of the time, and the kernel keeps 5 % for everyone else
(sched_rt_runtime_us) should it not.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

PRIORITIES = ("real-time", "high", "normal")
"""SCHED_RR at its lowest level; nice -10; as it was started."""

_NICE = -10
_AUTOGROUP = Path("/proc/self/autogroup")


def take(wanted: str) -> tuple[str, str]:
    """Give this process that priority or the next lower one that is allowed; which, and why not the one wanted."""
    problems: list[str] = []
    *above, lowest = PRIORITIES[PRIORITIES.index(wanted) :]
    for priority in above:
        try:
            _set(priority)
        except OSError as error:
            problems.append(f"{priority} priority is not allowed here ({error.strerror})")
        else:
            return priority, "; ".join(problems)
    return lowest, "; ".join(problems)


def _set(priority: str) -> None:
    if priority == "real-time":
        os.sched_setscheduler(0, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    elif priority == "high":
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
        with suppress(OSError):  # not every kernel has it
            _AUTOGROUP.write_text(str(_NICE), encoding="utf-8")
