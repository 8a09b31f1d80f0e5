"""Brings back what of a lab a kill or a hand took away, before `pulumi up` and `pulumi destroy`: gathers facts, has
labkit.lifecycle.missing decide, and does the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from infra import names, plan, settings, telling
from infra.reach import Reach
from labkit.lifecycle import inside, leftovers, noted, servers, serving
from labkit.lifecycle.inside import There
from labkit.lifecycle.missing import (
    Known,
    forming,
    in_no_server,
    inner_steps,
    known,
    outer_steps,
    servers_gone,
    serving_gone,
    unnoted,
)
from labkit.lifecycle.pulumi import UP
from labkit.lifecycle.set_up import Ready
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.progress import Progress


def after_a_kill(
    ready: Ready,
    lab: str,
    progress: Progress,
    remove: Callable[[servers.OnEngine, str, Collection[str]], Iterable[str]],
    told: Callable[[str], None],
) -> None:
    """Clear what a killed command left: the lock of a dead Pulumi, what it made unnoted, what it was in the midst of.

    `remove` is what of leftovers removes, `told` is called with each thing that it did. Raises LabError, and touches
    nothing, beside a Pulumi that is at work on the lab.
    """
    claim(ready, lab, progress)
    for what in remove(ready.machine, lab, ready.pulumi.ids(lab)):
        told(what)
    ready.pulumi.forget_pending(lab)


def claim(ready: Ready, lab: str, progress: Progress) -> None:
    """Release the lock of a dead Pulumi. Raises LabError while one that lives is at work on the lab."""
    if ready.pulumi.claim(lab):
        progress.line("A Pulumi that no longer runs had locked the stack: lock released")


def before_down(ready: Ready, lab: str, progress: Progress, told: Callable[[str], None]) -> None:
    """Clear what a killed command left and what `pulumi destroy` could not delete. `told` is called with each removal.

    Raises LabError when Pulumi keeps what is gone, or is at work on the lab.
    """
    # What a killed `up` made unnoted would hold on to what Pulumi is to delete.
    after_a_kill(ready, lab, progress, leftovers.remove, told)
    _forget(ready, lab, in_no_server(ready.pulumi.resources(lab)))


def before_up(ready: Ready, lab: str, progress: Progress) -> tuple[str, ...]:
    """Clear what a killed command left, start the lab's servers, bring back what `pulumi up` could not.

    The words that `pulumi up` needs in addition. Raises LabError when a step fails.
    """
    after_a_kill(
        ready,
        lab,
        progress,
        leftovers.clear_way,
        lambda what: progress.line(f"Removed what an earlier up left: {what}"),
    )
    servers.start(ready.machine, lab, progress)
    named = settings.servers(stack_files.config(lab))
    state, words = _bring_back_servers(ready, lab, named, progress)
    words |= _bring_back_contents(ready, lab, named, state, progress)
    for ended in noted.end(ready.machine.lab_dir(lab)):
        progress.line(f"Ended in {ended.replica}, as an experiment had left it: {ended.what}")
    return tuple(words)


def _bring_back_servers(
    ready: Ready, lab: str, named: Collection[str], progress: Progress
) -> tuple[Sequence[Known], set[str]]:
    """Bring back what stands on the laptop's engine. The state that was found, and the words for `pulumi up`."""
    clusters = stack_files.clustered(lab)
    wanted = (names.SOCKETS, *named, *(plan.SERVING if clusters else ()))
    resources, laptop = ready.pulumi.resources(lab), _on_laptop(ready, lab)
    state = known(resources)
    tools = serving_gone(state, laptop)
    begun = clusters and any(one.is_server for one in state)
    if tools or (begun and unnoted(resources, plan.SERVING)):
        with progress.step("What serves the clusters is gone: making it anew"):
            _renew(ready, lab, tools, unnoted(resources, (names.SOCKETS, *plan.SERVING)))
        resources, laptop = ready.pulumi.resources(lab), _on_laptop(ready, lab)
        state = known(resources)
    steps = outer_steps(state, laptop, wanted)
    if clusters:
        servers.settle(ready.machine, lab, servers_gone(lab, named, laptop), progress)
    if steps.first:
        with progress.step("Servers, their volumes or their networks are gone: making them anew"):
            _renew(ready, lab, steps.first, unnoted(resources, wanted))
    with servers.engine(ready.machine) as client:
        for volume in steps.remove:
            progress.line(f"The volume {volume.name} is left of a server that is gone: it is made anew")
            client.volumes.get(volume.id).remove(force=True)
    # Where it is noted still, a server that is made before the next refresh gets one of the engine's own of its name.
    _forget(ready, lab, [one.urn for one in state if one.there in steps.remove])
    if clusters:
        serving.wake(ready.machine, lab, progress)
        _form(ready, lab, wanted, progress)
    return state, set(steps.up)


def _bring_back_contents(
    ready: Ready, lab: str, named: Collection[str], state: Sequence[Known], progress: Progress
) -> set[str]:
    """Bring back what is in the servers, by the state that was found. The words for `pulumi up`."""
    words: set[str] = set()
    for server in _servers(ready, lab):
        name = server.container.removeprefix(servers.prefix(lab))
        for what in inside.undo(server):
            progress.line(f"Put right in {name}, as an experiment had left it: {what}")
        there = inside.look(server)
        inside.mend(server, [one.thing for one in state if one.server == name and one.there in there])
        steps = inner_steps(state, name, there)
        why = "is not as it was noted: it is made anew" if name in named else f"in {name} is left of an experiment"
        for one in steps.remove:
            progress.line(f"The {one.kind} {one.name} {why}")
            inside.remove(server, one)
        if steps.forget:
            with progress.step("Disks or VMs are gone: they are made anew"):
                _forget(ready, lab, steps.forget)
        words |= set(steps.up)
    return words


def _form(ready: Ready, lab: str, wanted: Iterable[str], progress: Progress) -> None:
    """Form the clusters anew whose servers do not do their part: what is in these cannot be read, if not."""
    found = _servers(ready, lab)
    with ThreadPoolExecutor() as pool:
        well = list(pool.map(inside.does_its_part, found))
    idle = [one.container.removeprefix(servers.prefix(lab)) for one, part in zip(found, well, strict=True) if not part]
    resources = ready.pulumi.resources(lab) if idle else []
    if urns := sorted({urn for server in idle for urn in forming(resources, server)}):
        with progress.step(f"{', '.join(idle)} out of its cluster: it is formed anew"):
            again = [word for urn in urns for word in ("--target-replace", urn)]
            _do(ready, [*UP, "-s", lab, *again, *unnoted(resources, wanted)])


def _renew(ready: Ready, lab: str, urns: Sequence[str], new: Sequence[str]) -> None:
    targets = [word for urn in urns for word in ("--target", urn)]
    if targets:
        _do(ready, ["refresh", "--yes", "--skip-preview", "-s", lab, *targets])
    _do(ready, [*UP, "-s", lab, *targets, *new])


def _do(ready: Ready, words: Sequence[str]) -> None:
    outcome = ready.pulumi.quiet(words)
    if not outcome.ok:
        raise LabError(
            f"What the lab stands on does not come back{telling.because(outcome.output)}", hint="./lab doctor"
        )


def _forget(ready: Ready, lab: str, urns: Sequence[str]) -> None:
    for urn in urns:
        if any(resource["urn"] == urn for resource in ready.pulumi.resources(lab)):
            outcome = ready.pulumi.quiet(["state", "delete", urn, "--target-dependents", "--yes", "-s", lab])
            if not outcome.ok:
                raise LabError(
                    f"Pulumi's state keeps what is gone{telling.because(outcome.output)}", hint="./lab doctor"
                )


def _servers(ready: Ready, lab: str) -> list[Reach]:
    with servers.engine(ready.machine) as client:
        return [servers.reach(ready.machine, str(server.name)) for server in servers.of(client, lab)]


def _on_laptop(ready: Ready, lab: str) -> frozenset[There]:
    with servers.engine(ready.machine) as client:
        mine = servers.filters(lab)
        return frozenset(
            [There("container", str(one.name), str(one.id)) for one in client.containers.list(all=True, filters=mine)]
            + [There("network", str(one.name), str(one.id)) for one in client.networks.list(filters=mine)]
            + [There("volume", str(one.name), str(one.name)) for one in client.volumes.list(filters=mine)]
        )
