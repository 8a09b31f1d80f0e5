"""The VM side: how one reaches into a guest."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tenacity import RetryError, retry, retry_if_result, stop_after_delay, wait_fixed

from infra import plan
from infra.outputs import Replica, Server
from labkit.errors import LabError
from labkit.sides.protocol import Run

_OFF_WITHIN_S = 60.0


def exec_command(replica: Replica, server: Server, lab_dir: Path, command: Sequence[str], *, tty: bool) -> list[str]:  # noqa: ARG001 - one protocol for both sides
    """The command line that runs `command` (a login shell if empty) in the guest, as root, by ssh."""
    return [
        "ssh",
        *(["-t"] if tty else []),
        *("-i", str(lab_dir / "id_ed25519")),
        *("-o", "IdentitiesOnly=yes"),
        *("-o", f'UserKnownHostsFile="{lab_dir / plan.host_key_file(replica.name)}"'),
        *("-o", "StrictHostKeyChecking=yes"),
        *("-o", "ConnectTimeout=10"),
        *("-o", "LogLevel=ERROR"),
        f"root@{urlsplit(replica.url).hostname}",
        # ssh hands one text to a shell; quoted, the words arrive as they were given, as on the other side.
        *([shlex.join(command)] if command else []),
    ]


def start(replica: Replica, run: Run) -> None:
    """Start the shut-off domain."""
    run(["virsh", "--quiet", "start", replica.handle])


def stop(replica: Replica, run: Run) -> None:
    """Shut the guest down in order, by its power button; raises LabError when it is not off in time."""
    run(["virsh", "--quiet", "shutdown", replica.handle])
    try:
        _wait_until_off(replica, run)
    except RetryError as error:
        raise LabError(
            f"The guest {replica.name} did not shut down within {_OFF_WITHIN_S:.0f} s.",
            hint=f"./lab exec {replica.name} journalctl -b",
        ) from error


@retry(stop=stop_after_delay(_OFF_WITHIN_S), wait=wait_fixed(0.2), retry=retry_if_result(bool))
def _wait_until_off(replica: Replica, run: Run) -> bool:
    return run(["virsh", "--quiet", "domstate", replica.handle]).output.strip() != "shut off"
