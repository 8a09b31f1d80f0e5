"""The set-up that is there already; nothing is installed, built or started here."""

from __future__ import annotations

from dataclasses import dataclass

from infra import checkout
from infra import machine as machine_file
from infra.machine import Machine
from labkit.lifecycle.pulumi import Pulumi
from labkit.setup.tools import toolchain
from labkit.setup.tools.toolchain import Toolchain
from labkit.system.errors import LabError

_HINT = "./lab setup"


@dataclass(frozen=True)
class Current:
    """A set-up found as it is."""

    toolchain: Toolchain
    machine: Machine
    pulumi: Pulumi


def never() -> bool:
    """Whether this checkout was never set up: then none of its labs can be up."""
    return not machine_file.FILE.exists()


def need(then: str = _HINT) -> Current:
    """The set-up of this checkout. Raises LabError naming `./lab setup`, or what else sets up, when there is none."""
    try:
        machine = machine_file.load()
    except checkout.NotSetUpError as error:
        raise LabError(error.problem, hint=then if error.hint == _HINT else error.hint) from error
    tools = toolchain.find()
    if tools is None:
        raise LabError("The Pulumi that this checkout was set up with is gone.", hint=then)
    return Current(tools, machine, Pulumi(tools, machine.docker_host))


def refuse_copy() -> None:
    """Raise LabError where what the state speaks of is another checkout's; all is well where there is no state."""
    try:
        checkout.enter()
    except checkout.NotSetUpError as error:
        if checkout.identify().kind == "copy":
            raise LabError(error.problem, hint=error.hint) from error
