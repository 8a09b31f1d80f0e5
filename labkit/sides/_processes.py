"""Processes in a server as its kernel counts them; the same questions for both sides."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.sides.protocol import Runner, numbers

_SCRIPT = """
set -eu
pss=0 ticks=0
for pid in "$@"; do
    # A process may end while it is asked: then it takes nothing.
    kib=$(awk '$1 == "Pss:" { print $2 }' "/proc/$pid/smaps_rollup" 2> /dev/null) || continue
    used=$(awk '{ sub(/.*\\) /, ""); print $12 + $13 }' "/proc/$pid/stat" 2> /dev/null) || continue
    pss=$((pss + ${kib:-0})) ticks=$((ticks + ${used:-0}))
done
echo "pss_kib $pss"
echo "ticks $ticks"
echo "ticks_per_s $(getconf CLK_TCK)"
"""

_STARTED = """
set -eu
awk '{ sub(/.*\\) /, ""); print "ticks", $20 }' "/proc/$1/stat"
echo "ticks_per_s $(getconf CLK_TCK)"
"""


def usage(run: Runner, pids: Sequence[str]) -> tuple[int, float]:
    """PSS in bytes and CPU time in seconds of these processes together (proc(5): smaps_rollup, stat)."""
    found = numbers(run(["sh", "-c", _SCRIPT, "sh", *pids]))
    return found["pss_kib"] * 1024, found["ticks"] / found["ticks_per_s"]


def started_s(run: Runner, pid: str) -> float:
    """When a process was made, in seconds since the server's boot; resolution one tick."""
    found = numbers(run(["sh", "-c", _STARTED, "sh", pid]))
    return float(found["ticks"] / found["ticks_per_s"])
