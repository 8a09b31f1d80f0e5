"""Part of ./lab bench measure: how long `./lab run` takes, part by part, from what a run notes of itself."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figure import Figure
from labkit.runs.records import Results, Run


def figures(run: Run) -> list[Figure]:
    """Pure: seconds of the whole run, of each experiment, and of each kind of turn with all its repeats.

    A turn lasts until the next one begins: with its preparation, its clean-up and what is written of it.
    """
    found = [Figure(f"run {run.lab}", repeats=[sum(one.seconds for one in run.experiments)])]
    for experiment in run.experiments:
        found.append(Figure(f"run {run.lab}: {experiment.name}", repeats=[experiment.seconds]))
        found.extend(_turns(run, experiment))
    return found


def _turns(run: Run, experiment: Results) -> Sequence[Figure]:
    kinds: dict[str, Figure] = {}
    for repeat, following in zip(experiment.repeats, experiment.repeats[1:], strict=False):
        name = " ".join(word for word in (str(repeat.arm), repeat.action) if word)
        figure = kinds.setdefault(name, Figure(f"run {run.lab}: {experiment.name}, a turn of {name}"))
        figure.repeats.append(following.begun_s - repeat.begun_s)
    return list(kinds.values())
