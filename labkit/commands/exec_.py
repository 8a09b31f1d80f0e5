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
from labkit.system import stack_files
from labkit.system.errors import LabError, meant


def run(replica: str, command: Sequence[str], lab_name: str | None) -> int:
    """Run a command inside a replica or a server, with this terminal; its exit status."""
    ready = set_up.need()
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    there = [
        one
        for lab in ([stack_files.known(lab_name)] if lab_name else stack_files.names())
        for one in places.of(ready, lab)
    ]
    matches = [one for one in there if one.name == replica]
    if not there:
        which = f"The lab {lab_name} is not up" if lab_name else "No lab is up"
        raise LabError(
            f"{which}, so there is no replica {replica!r}.",
            hint=f"./lab up {lab_name or stack_files.example()}",
        )
    if not matches:
        names = ", ".join(one.name for one in there)
        raise LabError(
            f"There is no replica {replica!r}. There is: {names}.",
            hint=meant(replica, [one.name for one in there], "./lab status"),
        )
    if len(matches) > 1:
        names = " or ".join(f"--lab {one.lab}" for one in matches)
        raise LabError(f"{replica} is in more than one lab.", hint=f"./lab exec {names} {replica}")
    place = matches[0]
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
