"""CPU time of a server as a whole, and what a piece of work adds to it. The reading is one script; the rest is pure.

/proc/stat counts all of the server's kernel, what is done in interrupts for no process included: a packet's way is
mostly that. Resolution 10 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from labkit.sides import Runner
from labkit.sides.protocol import numbers
from labkit.system.outcome import Outcome

TICKS_PER_S = 100
"""USER_HZ, which Linux shows to programs whatever its own clock is."""

BUSY = (
    "busy() { read -r _ user nice system idle iowait irq soft rest < /proc/stat;"
    ' echo "busy_ticks $((user + nice + system + irq + soft))"; }; '
)
"""A function for scripts: all CPU time of a kernel but its idle time."""

READ = (
    BUSY
    + """
read -r uptime rest < /proc/uptime
echo "at_s $uptime"
busy
group=$(sed -n 's/^[0-9]*:\\([a-z,]*,\\)\\?cpuacct\\(,[a-z,]*\\)\\?://p' /proc/1/cgroup)
for file in "/sys/fs/cgroup/cpuacct$group/cpuacct.usage" "/sys/fs/cgroup/cpu,cpuacct$group/cpuacct.usage"; do
    [ -z "$group" ] || [ ! -r "$file" ] || { echo "group_ns $(cat "$file")"; exit 0; }
done
[ ! -r /sys/fs/cgroup/cpu.stat ] || sed -n 's/^usage_usec \\(.*\\)/group_ns \\1000/p' /sys/fs/cgroup/cpu.stat
"""
)


@dataclass(frozen=True)
class Used:
    """CPU time in a window of time, in seconds."""

    seconds: float
    busy_s: float
    """Of the server's whole kernel."""
    group_s: float
    """Of the processes of the server's own control group, its VMs and containers among them; NaN where unknown."""

    def beyond(self, idle: Used) -> Used:
        """What was used beyond what an idle window of about the same length used."""
        share = self.seconds / idle.seconds
        return Used(self.seconds, self.busy_s - idle.busy_s * share, self.group_s - idle.group_s * share)


def read(run: Runner) -> dict[str, float]:
    """The counters of a server now; hold two readings against each other by `between`."""
    return numbers(run(["sh", "-c", READ]))


def between(before: dict[str, float], after: dict[str, float]) -> Used:
    """What was used between two readings.

    {"at_s": 1, "busy_ticks": 100} and {"at_s": 3, "busy_ticks": 150} -> 2 s, of which 0.5 s CPU time.
    """
    none = float("nan")
    return Used(
        seconds=after["at_s"] - before["at_s"],
        busy_s=(after["busy_ticks"] - before["busy_ticks"]) / TICKS_PER_S,
        group_s=(after.get("group_ns", none) - before.get("group_ns", none)) / 1e9,
    )


def both(one: Used, other: Used) -> Used:
    """Two windows as one."""
    return Used(one.seconds + other.seconds, one.busy_s + other.busy_s, one.group_s + other.group_s)


def process_s(outcome: Outcome) -> float:
    """CPU time of a process so far, user and system, out of /proc/PID/stat (proc(5): fields 14 and 15)."""
    fields = outcome.output.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


UNTOLD = "the machine did more of other work in the idle window than in the measured one"
"""Why a value that rests on the whole server is left out."""


def told(values: Mapping[str, float]) -> dict[str, float]:
    """Values of CPU time as a repeat keeps them: without those that are not known, and those that cannot be.

    Work uses CPU time and gives none back: what is not above zero says what else the machine did, nothing of ours.
    """
    return {name: round(value, 4) for name, value in values.items() if value > 0}
