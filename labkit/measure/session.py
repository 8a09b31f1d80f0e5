"""From a lab's name to a run: finds what is set up and up, makes the run folder, and lets the conductor work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infra import paths
from infra import settings as lab_settings
from infra.outputs import Contract
from infra.source import commit
from labkit.lifecycle import in_use, set_up, steady
from labkit.lifecycle.set_up import Ready
from labkit.measure import _left
from labkit.measure._conduct import Conductor, Hands, stamp
from labkit.measure.experiment import Experiment, Place
from labkit.measure.labs import Lab
from labkit.measure.machine_box import machine_box, server_box
from labkit.runs import run_folder
from labkit.runs.records import Run
from labkit.setup.docker import engine
from labkit.sides import reach
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Progress


def ready(then: str = "./lab setup") -> Ready:
    """The set-up that is there; nothing is installed or started. Raises LabError naming the next step."""
    found = set_up.need(then=then)
    if engine.connect() is None:
        raise LabError(f"The Docker Engine at {found.machine.docker_host} does not answer.", hint="./lab setup")
    return found


def conduct(
    lab: Lab,
    experiments: Sequence[Experiment],
    progress: Progress,
    *,
    quick: bool = False,
    full: bool = False,
    predictions: Mapping[str, str] | None = None,
    runs: Path = run_folder.RUNS,
) -> tuple[Run, Path]:
    """Run these experiments of a lab that is up; the finished run and its folder.

    Raises LabError before anything is touched when the lab is not up or not in its steady state. Whatever comes later,
    the folder (which `report` is told first) holds all that was measured.
    """
    with in_use.by("run", lab.name):
        place, run = begin(lab, progress, quick=quick, full=full, predictions=predictions, runs=runs)
        if full:
            sides = list(dict.fromkeys(replica.side for replica in place.contract.replicas))
            progress.line(f"A full run: {_left.estimate(experiments, sides, quick=quick)}.")
        progress.line(f"Run folder: {run_folder.shown(place.folder)}")
        conductor = Conductor(place, run, Hands(check=lab.check, bring_back=lab.to_steady_state))
        try:
            return conductor.conduct(experiments), place.folder
        except KeyboardInterrupt:
            kept = sum(len(one.repeats) for one in conductor.run.experiments)
            where = run_folder.shown(place.folder)
            progress.line(f"Interrupted: {kept} repeats are kept in {where}: ./lab report {lab.name}")
            raise


def begin(
    lab: Lab, progress: Progress, *, quick: bool, full: bool = False, predictions: Mapping[str, str] | None, runs: Path
) -> tuple[Place, Run]:
    """Where to measure, and the run as it is before its first repeat. Makes the run folder, when all is well."""
    there = ready(then=f"./lab up {lab.name}")
    contract = steady.contract(there, lab.name)
    started = stamp()

    def place(folder: Path) -> Place:
        return Place(lab.name, there, contract, progress, lambda server: reach.runner(server.reach), folder)

    lab.check(place(runs))
    box = {**machine_box(there), **server_box(reach.runner(contract.servers[0].reach))}
    folder = run_folder.new(lab.name, "".join(started[:19].split("-")).replace(":", ""), runs)
    return place(folder), Run(
        id=folder.name,
        lab=lab.name,
        started=started,
        finished="",
        commit=commit(CHECKOUT),
        machine=box,
        settings=settings(stack_files.config(lab.name), contract),
        experiments=(),
        predictions=dict(predictions or {}),
        quick=quick,
        full=full,
    )


def settings(config: Mapping[str, Any], contract: Contract) -> dict[str, Any]:
    """Pure: the lab's settings by the names of the configuration keys; what the lab exports is what is in force."""
    wanted = {**lab_settings.DEFAULTS, **{key: value for key, value in config.items() if key in lab_settings.DEFAULTS}}
    along: dict[str, list[str]] = {}
    for one in contract.replicas:
        along.setdefault(one.side, []).append(paths.taken(one.side, one.path))
    return {
        **wanted,
        "accelerator": contract.accelerator,
        "service_version": contract.service_version,
        "vcpus": contract.vcpus,
        "memory_mib": contract.memory_mib,
        "servers": len(contract.servers),
        "sides": ",".join(along),
        "paths": ",".join(dict.fromkeys(path for own in along.values() for path in own if path)),
        "replicas": max(len(own) // len(set(own)) for own in along.values()),
    }
