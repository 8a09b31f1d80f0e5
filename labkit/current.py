"""The set-up that is there already; nothing is installed, built or started here."""

from __future__ import annotations

from dataclasses import dataclass

from infra import machine as machine_file
from infra.machine import Machine
from labkit import toolchain
from labkit.errors import LabError
from labkit.pulumi import Pulumi
from labkit.toolchain import Toolchain

_HINT = "./lab setup"


@dataclass(frozen=True)
class Current:
    """A set-up found as it is."""

    toolchain: Toolchain
    machine: Machine
    pulumi: Pulumi


def need() -> Current:
    """The set-up of this checkout. Raises LabError naming `./lab setup` when there is none."""
    try:
        machine = machine_file.load()
    except machine_file.NotSetUpError as error:
        raise LabError(str(error), hint=_HINT) from error
    tools = toolchain.find()
    if tools is None:
        raise LabError("The Pulumi that this checkout was set up with is gone.", hint=_HINT)
    return Current(tools, machine, Pulumi(tools, machine.docker_host))
