"""./lab exec."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from infra import outputs
from labkit import current, labs
from labkit.errors import LabError
from labkit.sides import SIDES


def run(replica: str, command: Sequence[str], lab_name: str | None) -> int:
    """Run a command inside a replica or a server, with this terminal; its exit status."""
    ready = current.need()
    tty = sys.stdin.isatty() and sys.stdout.isatty()
    found = []
    for lab in [labs.known(lab_name)] if lab_name else labs.names():
        try:
            found.append(outputs.from_outputs(ready.pulumi.outputs(lab)))
        except outputs.ContractError:
            continue
    places: list[tuple[outputs.Contract, outputs.Replica | outputs.Server]] = []
    for contract in found:
        places += [(contract, one) for one in contract.replicas] + [(contract, one) for one in contract.servers]
    matches = [(contract, one) for contract, one in places if one.name == replica]
    if not matches:
        there = ", ".join(one.name for _, one in places) or "none: no lab is up"
        raise LabError(f"There is no replica {replica!r}. There is: {there}.", hint="./lab status")
    if len(matches) > 1:
        names = " or ".join(f"--lab {contract.lab}" for contract, _ in matches)
        raise LabError(f"{replica} is in more than one lab.", hint=f"./lab exec {names} {replica}")
    contract, one = matches[0]
    if isinstance(one, outputs.Server):
        flags = ["-it"] if tty else ["-i"]
        words = ["docker", "--host", ready.machine.docker_host, "exec", *flags, one.container, *(command or ["bash"])]
    else:
        server = next(server for server in contract.servers if server.name == one.server)
        words = SIDES[one.side].exec_command(one, server, ready.machine.lab_dir(contract.lab), command, tty=tty)
    return subprocess.run(words, env=os.environ, check=False).returncode
