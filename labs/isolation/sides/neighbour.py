"""What holds a neighbour on each side, and what is counted when it runs into that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """One side. Scripts print "NAME NUMBER" lines, or lines of the kernel's log."""

    lift: str
    """In the server, with the replica's handle as $1: takes off the limits that its engine holds it by, after writing
    down what sets them again, which the server's own undo runs. Empty: what holds it is its own machine, which nothing
    takes off."""
    oom: str
    """What an OOM killer of this replica is, in words."""
    processes: str
    """And what refuses it processes."""
    inside: str
    """In the replica: what its own kernel counts; empty where it has none of its own."""
    beside: str
    """In the server, with the handle as $1: what the engine and its control group count of it."""


WORDS = "oom-kill:|Out of memory|out of memory|Killed process|fork rejected|No space left"
_LOG = f"dmesg | grep -E '{WORDS}' | sed 's/^\\[ *[0-9.]*\\] */said /' | tail -n 200; true"

VM = Held(
    lift="",
    oom="the OOM killer of its own kernel",
    processes="its own kernel, which has no room for more processes",
    inside=f"""
sed -n 's/^oom_kill /oom_kills /p' /proc/vmstat
group=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
[ ! -r "$group/pids.events" ] || sed -n 's/^max /refused_processes /p' "$group/pids.events"
{_LOG}
""",
    beside="virsh --quiet domstate \"$1\" | sed '/^$/d;s/^/state /'",
)

CONTAINER = Held(
    lift="""
set -e
note=/var/tmp/vvc-undo-limits-$1
if [ ! -e "$note" ]; then
    limits=$(docker inspect -f '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}' "$1" |
        awk '{ print "--cpus", $1 / 1e9, "--memory", $2, "--memory-swap", $3 }')
    {
        echo "# the limits of $1 are taken off"
        echo "! docker inspect $1 > /dev/null 2>&1 || docker update $limits $1 > /dev/null || exit"
        echo "rm $note"
    } > /var/tmp/vvc-limits
    mv /var/tmp/vvc-limits "$note"
fi
all=$(sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1k/p' /proc/meminfo)
docker update --cpus "$(nproc)" --memory "$all" --memory-swap "$all" "$1" > /dev/null
""",
    oom="the OOM killer of its server, as its control group is full",
    processes="the limit on the processes of all of its server's containers",
    inside="",
    beside=f"""
docker inspect -f 'state {{{{.State.Status}}}}{{{{if .State.OOMKilled}}}} (OOMKilled){{{{end}}}}' "$1"
pid=$(docker inspect -f '{{{{.State.Pid}}}}' "$1")
group() {{ sed -n "s/^[0-9]*:\\([a-z,]*,\\)\\?$1\\(,[a-z,]*\\)\\?://p" "/proc/$pid/cgroup"; }}
for file in "/sys/fs/cgroup/memory$(group memory)/memory.oom_control" \\
    "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/memory.events"; do
    [ ! -r "$file" ] || sed -n 's/^oom_kill /oom_kills /p' "$file"
done
# A refusal is counted where the limit stands, of later kernels below it as well: the most of them is the number.
of() {{ for file in "$@"; do [ ! -r "$file" ] || sed -n 's/^max //p' "$file"; done; }}
own=/sys/fs/cgroup/pids$(group pids)
two=/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
of "$own/pids.events" "${{own%/*}}/pids.events" "$two/pids.events" "${{two%/*}}/pids.events" |
    sort -n | tail -n 1 | sed 's/^/refused_processes /'
{_LOG}
""",
)

SIDES: Mapping[str, Held] = {"vm": VM, "container": CONTAINER}
"""Side -> what holds its replicas. A guest's kernel has words and counters of its own; a container's words are in the
log of its server's kernel, among everybody's."""
