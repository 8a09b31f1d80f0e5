"""./lab clean: takes away this checkout's labs, and on request what all checkouts share."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from infra import plan, telling
from labkit.lifecycle import in_use, inventory, leftovers
from labkit.lifecycle.inventory import Mine, Thing
from labkit.lifecycle.leftovers import Leftover
from labkit.lifecycle.pulumi import DESTROY, Pulumi
from labkit.lifecycle.state import BACKEND
from labkit.setup.building import images
from labkit.setup.docker import engine
from labkit.setup.docker.client import connected
from labkit.setup.docker.engine import Engine
from labkit.system import paths, shell, stack_files
from labkit.system.errors import LabError
from labkit.system.progress import Progress

_CACHES = ("images", "toolchain", "wheels", "accelerator.json")
"""What set-up keeps in the cache; a folder that VVC_CACHE names may hold more."""

_REMOVAL_S = 60


@dataclass(frozen=True)
class OnEngine:
    """The engine that answers, as labkit.lifecycle.leftovers asks for it."""

    docker_host: str


def others(things: Iterable[Thing], own: str) -> dict[str, set[str]]:
    """Pure: other checkouts' ids -> their labs, by the labels of what is on the engine."""
    found: dict[str, set[str]] = {}
    for thing in things:
        checkout, lab = thing.labels.get(plan.CHECKOUT_LABEL), thing.labels.get(plan.LAB_LABEL)
        if checkout and lab and checkout != own:
            found.setdefault(checkout, set()).add(lab)
    return found


def elsewhere(found: Engine) -> dict[str, list[Leftover]]:
    """Other checkouts' ids -> all that their labs have on the engine, in the order of removal."""
    things = _read(found.host)
    return {
        checkout: leftovers.on_engine(found.host, things, Mine.of(checkout, names))
        for checkout, names in sorted(others(things, paths.CHECKOUT_ID).items())
    }


def remove_elsewhere(checkout: str, things: Iterable[Leftover], progress: Progress) -> list[str]:
    """Remove what `elsewhere` found of one checkout, and its folder of sockets; what stayed, in words."""
    stayed = []
    for thing in things:
        outcome = shell.run(thing.command, timeout_s=_REMOVAL_S, check=False)
        if outcome.ok:
            progress.line(f"  removed: {thing.what}")
        else:
            stayed.append(f"{thing.what}: {outcome.output.strip()}")
    if not stayed:
        shutil.rmtree(paths.runtime().with_name(f"{plan.PREFIX}-{checkout}"), ignore_errors=True)
    return stayed


def own_labs(found: Engine) -> list[str]:
    """This checkout's labs, those included whose stack file is gone."""
    return sorted({*stack_files.names(), *leftovers.labs(OnEngine(found.host))})


def lab(name: str, found: Engine, pulumi: Pulumi | None, progress: Progress) -> list[Leftover]:
    """Take one lab away: by Pulumi where there is one, then whatever is left. What stayed, with its removal.

    Raises LabError while somebody else is at work on it.
    """
    with in_use.by("clean", name):
        return _lab(name, found, pulumi, progress)


def _lab(name: str, found: Engine, pulumi: Pulumi | None, progress: Progress) -> list[Leftover]:
    machine = OnEngine(found.host)
    if pulumi is not None and pulumi.has_stack(name):
        pulumi.claim(name)
        if pulumi.resources(name):
            # What a killed `up` made unnoted would hold on to what Pulumi is to delete.
            for what in leftovers.remove(machine, name, pulumi.ids(name)):
                progress.line(f"  removed: {what}")
            with progress.step(f"pulumi {' '.join(DESTROY)} -s {name}"):
                _destroy(machine, name, pulumi, progress)
    for what in leftovers.remove(machine, name):
        progress.line(f"  removed: {what}")
    if pulumi is None:
        # No Pulumi can correct its state, which now speaks of what is gone; set-up makes it anew.
        shutil.rmtree(BACKEND / ".pulumi", ignore_errors=True)
    inventory.file(name).unlink(missing_ok=True)
    return leftovers.find(machine, name)


def _destroy(machine: OnEngine, name: str, pulumi: Pulumi, progress: Progress) -> None:
    words = [*DESTROY, "-s", name, "--non-interactive"]
    outcome = pulumi.quiet(words)
    if outcome.ok:
        return
    progress.line("  pulumi destroy failed: removing its objects first, then once more")
    leftovers.remove(machine, name)
    outcome = pulumi.quiet(words)
    if not outcome.ok:
        raise LabError(
            f"pulumi destroy of {name} failed{telling.because(outcome.output)}", hint=f"./lab leftovers {name}"
        )


def cache(found: Engine | None, progress: Progress) -> None:
    """Remove images (those that a container uses stay) and toolchain; all checkouts share them."""
    with progress.step(f"Deleting the caches in {paths.cache()}"):
        if found is not None:
            with found.client() as client:
                images.clean(client)
        for name in _CACHES:
            _delete(paths.cache() / name)


def private_engine(progress: Progress) -> None:
    """Stop the private engine and delete its data. Raises LabError while other checkouts' labs are on it."""
    host = engine.private_host()
    if host is not None:
        foreign = others(_read(host), paths.CHECKOUT_ID)
        if foreign:
            told = "; ".join(f"{checkout}: {', '.join(sorted(names))}" for checkout, names in foreign.items())
            raise LabError(
                f"Other checkouts' labs are on the private Docker Engine ({told}).",
                hint="./lab down there, or ./lab clean --everywhere",
            )
    engine.remove(progress)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _read(host: str) -> list[Thing]:
    with connected(host) as client:
        return inventory.read(client)
