"""./lab up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import click

from infra import answers, outputs
from labkit.commands import setup
from labkit.judge.words import banner
from labkit.lifecycle import heal, in_use, inventory, servers
from labkit.lifecycle.inventory import Mine
from labkit.lifecycle.pulumi import UP
from labkit.lifecycle.set_up import Ready
from labkit.measure import faults, labs
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT_ID
from labkit.system.progress import Progress, Terminal


def run(lab: str, *, yes: bool) -> int:
    """Set up, start the lab's stopped servers, `pulumi up`, and say where the service answers."""
    with in_use.by("up", lab):
        return _up(lab, setup.prepare(yes=yes, labs=[lab]), Terminal())


def _up(lab: str, ready: Ready, progress: Terminal) -> int:
    heal.claim(ready, lab, progress)
    _note_what_is_there(ready, lab)
    _end_fault(ready, lab, progress)
    words = [*UP, *heal.before_up(ready, lab, progress), "-s", lab]
    click.echo(f"$ pulumi {' '.join(words)}", err=True)
    try:
        with progress.alive("pulumi up"):
            status = ready.pulumi.show(words, lost=lambda: servers.lost(ready.machine, lab))
    except LabError:
        servers.check_health(ready.machine, lab)  # says more: the last lines of a server that ended
        raise
    if status != 0:
        servers.check_health(ready.machine, lab)
        raise LabError(
            f"pulumi up failed (exit status {status}).",
            hint=f"what it says above; ./lab status {lab} shows what is up, ./lab doctor looks at the machine",
        )
    made = ready.pulumi.outputs(lab)
    if not made:  # Pulumi says 0 of an up that somebody stopped between two steps
        raise LabError(
            "pulumi up was stopped before its end.", hint=f"it was told to end; see what is there: ./lab status {lab}"
        )
    contract = outputs.from_outputs(made)
    with progress.step("Every replica answers"), ThreadPoolExecutor() as pool:
        list(pool.map(_wait, contract.replicas, [contract.service_version] * len(contract.replicas)))
    _set_back(ready, lab, progress)
    if contract.accelerator == "tcg":
        click.secho(banner(), fg="yellow", bold=True)
    for replica in contract.replicas:
        click.echo(f"  {replica.name:<14} {replica.url}/whoami")
    click.echo(
        f"""
Try next:
  curl {contract.replicas[0].url}/whoami
  ./lab exec {contract.replicas[0].name}            a shell inside
  ./lab status {lab}
  ./lab down {lab}

Plain Pulumi:
  eval "$(./lab env)"
  pulumi stack output -s {lab}
  pulumi up -s {lab}
  pulumi destroy -s {lab}"""
    )
    return 0


def _end_fault(ready: Ready, lab: str, progress: Progress) -> None:
    """Undo what is in force of somebody's faults; what that cannot put right is for the steps behind it."""
    target = faults.in_force(ready, lab)
    place = faults.running(ready, lab, progress) if target else None
    if target and place:
        try:
            with progress.step(f"{target.in_force}: it is undone"):
                faults.undo(place, labs.load(lab).faults)
        except LabError as error:
            progress.line(f"  not all of it: {error.problem}")


def _set_back(ready: Ready, lab: str, progress: Progress) -> None:
    """Set back what an experiment that was killed had changed, where the lab is whole again."""
    if faults.changed(ready, lab) and (place := faults.running(ready, lab, progress)):
        with progress.step("An experiment that was cut off had changed the lab: it is set back"):
            labs.load(lab).bring_back(place)
    faults.forget(ready, lab)


def _note_what_is_there(ready: Ready, lab: str) -> None:
    """For `leftovers`: of an `up` from nothing; a later one must not take the lab's surroundings for older."""
    with servers.engine(ready.machine) as client:
        things = inventory.read(client)
    mine = Mine.of(CHECKOUT_ID, [lab])
    if inventory.noted(lab) is None or not any(inventory.is_ours(thing, mine) for thing in things):
        inventory.note(lab, things)


def _wait(replica: outputs.Replica, version: str) -> None:
    try:
        answers.wait_until_ready(replica.url, replica.name, version)
    except answers.NotReadyError as error:
        raise LabError(str(error), hint=f"./lab exec {replica.name}") from error
