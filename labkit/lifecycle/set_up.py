"""A machine on which `pulumi up` works: the set-up that is there already, or what `ensure` brings it to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra import checkout
from infra import machine as machine_file
from infra.machine import Machine
from labkit.lifecycle.pulumi import Pulumi
from labkit.setup import ensure as setup
from labkit.setup.tools import toolchain
from labkit.setup.tools.toolchain import Toolchain
from labkit.system.errors import LabError
from labkit.system.progress import Progress

_HINT = "./lab setup"


@dataclass(frozen=True)
class Ready:
    """A machine that is set up, with the stacks of this checkout's labs."""

    toolchain: Toolchain
    machine: Machine
    pulumi: Pulumi


def ensure(
    progress: Progress,
    *,
    yes: bool,
    confirm: Callable[[str], bool],
    tests: bool = False,
    labs: Sequence[str] | None = None,
) -> Ready:
    """Bring the machine to where `pulumi up` of these labs (of all) works. Raises LabError with one next step."""
    done = setup.ensure(progress, yes=yes, confirm=confirm, tests=tests, labs=labs)
    pulumi = Pulumi(done.toolchain, done.machine.docker_host)
    pulumi.make_stacks()
    return Ready(done.toolchain, done.machine, pulumi)


def never() -> bool:
    """Whether this checkout was never set up: then none of its labs can be up."""
    return not machine_file.FILE.exists()


def need(then: str = _HINT) -> Ready:
    """The set-up of this checkout. Raises LabError naming `./lab setup`, or what else sets up, when there is none."""
    try:
        machine = machine_file.load()
    except checkout.NotSetUpError as error:
        raise LabError(error.problem, hint=then if error.hint == _HINT else error.hint) from error
    tools = toolchain.find()
    if tools is None:
        raise LabError("The Pulumi that this checkout was set up with is gone.", hint=then)
    pulumi = Pulumi(tools, machine.docker_host)
    pulumi.make_stacks()  # a lab may have come since
    return Ready(tools, machine, pulumi)


def refuse_copy() -> None:
    """Raise LabError where what the state speaks of is another checkout's; all is well where there is no state."""
    try:
        checkout.enter()
    except checkout.NotSetUpError as error:
        if checkout.identify().kind == "copy":
            raise LabError(error.problem, hint=error.hint) from error
