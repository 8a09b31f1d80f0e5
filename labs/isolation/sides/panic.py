"""A panic of a replica's own kernel, for the sides whose replicas have one; no other kernel is ever asked for one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from infra.last_lines import CONSOLE_DIR
from infra.outputs import Replica
from labkit.measure.experiment import Place
from labkit.system.errors import LabError

AFTER_S = 0.5
"""The panic comes so long after the order: the way to the guest is closed in order before."""

PANIC = f"""
set -eu
[ "$(cat /proc/sys/kernel/random/boot_id)" != "$1" ] || {{ echo "this is the server's kernel"; exit 1; }}
echo 1 > /proc/sys/kernel/panic
setsid sh -c 'sleep {AFTER_S}; echo c > /proc/sysrq-trigger' > /dev/null 2>&1 < /dev/null &
"""
"""Has this kernel panic, and boot anew a second after that, unless its boot id is $1: that of the server."""

_CONSOLE = f'tail -c 65536 "{CONSOLE_DIR}/$1.console" | tr -d "\\r\\000" | grep -a "Kernel panic" | tail -n 1'


def _guest(place: Place, replica: Replica) -> None:
    server = place.run(replica)(["cat", "/proc/sys/kernel/random/boot_id"]).output.strip()
    if len(server) != len("00000000-0000-0000-0000-000000000000"):
        raise LabError(f"The server of {replica.name} does not say its boot id.", hint=f"./lab status {place.lab}")
    place.inside(replica)(["sh", "-c", PANIC, "sh", server])


def _console(place: Place, replica: Replica) -> str:
    """What the guest's kernel said of its panic last, from the log of its console; empty where that has nothing."""
    return place.run(replica)(["sh", "-c", _CONSOLE, "sh", replica.handle]).output.strip()


OF: Mapping[str, Callable[[Place, Replica], None]] = {"vm": _guest}
"""Side -> has the kernel of a replica panic, AFTER_S after that. The kernel boots anew by itself."""

LAST_WORDS: Mapping[str, Callable[[Place, Replica], str]] = {"vm": _console}
"""Side -> what that kernel said of its panic."""
