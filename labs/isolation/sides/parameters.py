"""A kernel parameter that is set for one replica: where its side does that, and how it is put back whoever set it.

A guest's root sets it in the guest. A container may set none: its server sets it, in the container's network namespace.
Before it is set a script is written that puts it back, `vvc-undo-…`, which the server's own undo runs as well. It runs
by itself after a minute: nobody could come to a guest that is cut off, and the server's kernel may be the laptop's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from infra.outputs import Replica
from labkit.measure.experiment import Place
from labkit.sides import Runner
from labkit.system.errors import LabError

OWN = "/proc/sys/net/ipv4/ip_default_ttl"
"""Of each network namespace its own: how many hops what is sent may take, if its program does not say."""

SHARED = "/proc/sys/kernel/printk_ratelimit_burst"
"""Of the whole kernel: how many messages a driver may log at once. One more changes nothing that anybody would see."""

GOES_AFTER_S = 60

SET = rf"""
set -eu
path=$1 for=$2 pid=$3 enter= own=
if [ -n "$pid" ]; then
    enter="nsenter -t $pid -n"
    namespace=$(readlink "/proc/$pid/ns/net")
    own="[ \"\$(readlink /proc/$pid/ns/net)\" != '$namespace' ] ||"
fi
note=/var/tmp/vvc-undo-${{path##*/}}
[ ! -e "$note" ] || sh "$note"
old=$($enter cat "$path")
printf '%s\n' "# $path, set for $for" "$own $enter sh -c 'echo $old > $path'" "rm -f $note" > "$note"
setsid sh -c 'sleep {GOES_AFTER_S}; [ ! -e "$0" ] || sh "$0"' "$note" > /dev/null 2>&1 < /dev/null &
$enter sh -c 'echo "$0" > "$1"' "$((old + 1))" "$path"
"""
"""Sets the parameter $1 for the replica $2 to one more, in the network namespace of the process $3, if any."""

PUT_BACK = """
for note in /var/tmp/vvc-undo-*; do
    [ ! -e "$note" ] || sh "$note"
done
"""

MAY_SET = '{ echo "$(cat "$1")" > "$1"; } 2>&1 || true'
"""Writes the value of $1 that is there again: who may do that may write another. Prints why not."""


def _in_guest(place: Place, replica: Replica, path: str) -> None:
    place.inside(replica)(["sh", "-c", SET, "sh", path, replica.name, ""])


def _in_namespace(place: Place, replica: Replica, path: str) -> None:
    run = place.run(replica)
    pid = run(["docker", "inspect", "-f", "{{.State.Pid}}", replica.handle]).output.strip()
    run(["sh", "-c", SET, "sh", path, replica.name, pid])


def _put_back_in_guest(place: Place, replica: Replica) -> None:
    with suppress(LabError):  # what was set in a guest that is off is gone
        place.inside(replica)(["sh", "-c", PUT_BACK])


def _put_back_in_server(_place: Place, _replica: Replica) -> None:
    """The server's undo does."""


SET_FOR: Mapping[str, Callable[[Place, Replica, str], None]] = {"vm": _in_guest, "container": _in_namespace}
"""Side -> sets a parameter for a replica, to one more than it is."""

PUT_BACK_FOR: Mapping[str, Callable[[Place, Replica], None]] = {
    "vm": _put_back_in_guest,
    "container": _put_back_in_server,
}
"""Side -> puts back what was set inside a replica."""


def read(run: Runner, path: str) -> int:
    """What it is there."""
    return int(run(["cat", path]).output)


def refused(inside: Runner, path: str) -> str:
    """Why a replica's own process may not set it; "" if it may."""
    return inside(["sh", "-c", MAY_SET, "sh", path]).output.strip().rpartition(": ")[2]
