"""./lab exec."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from infra import environment
from infra.names import host_key_file
from labkit.lifecycle import places, set_up
from labkit.sides import SIDES, reach


def run(replica: str, command: Sequence[str], lab_name: str | None) -> int:
    """Run a command inside a replica or a server, with this terminal; its exit status."""
    ready = set_up.need()
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    place = places.find(ready, replica, lab_name, "exec")
    lab_dir = ready.machine.lab_dir(place.lab)
    if place.replica is None:
        words = reach.interactive(place.server.reach, command, tty=tty)
    else:
        words = SIDES[place.replica.side].exec_command(place.replica, place.server, lab_dir, command, tty=tty)
    status = subprocess.run(words, env=environment.plain(os.environ), check=False).returncode
    if status != 0:
        keys = lab_dir / host_key_file(place.name)
        key_known = keys.is_file() and " ssh-" in keys.read_text(encoding="utf-8")
        problem = places.closed(place, places.state(place), key_known=key_known)
        if problem is not None:
            raise problem
    return status
