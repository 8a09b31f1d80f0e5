"""./lab run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from labkit.commands import report as report_command
from labkit.judge.model import Claim, Measured
from labkit.measure import labs, session
from labkit.measure.experiment import Experiment
from labkit.measure.labs import Lab
from labkit.runs import run_folder
from labkit.system.errors import LabError
from labkit.system.progress import Terminal


def run(name: str, names: Sequence[str], *, quick: bool, full: bool, predict: bool) -> int:
    """Measure, judge and show; 0 only if every experiment is complete."""
    lab = labs.load(name)
    experiments = lab.chosen(tuple(names), full=full)
    if predict and not sys.stdin.isatty():
        raise LabError(
            "--predict asks questions, and there is nobody to ask: stdin is no terminal.", hint="leave it out"
        )
    predictions = ask(lab, experiments) if predict else {}
    done, folder = session.conduct(lab, experiments, Terminal(), quick=quick, full=full, predictions=predictions)
    report_command.show(done, lab, folder)
    failed = [one.name for one in done.experiments if one.state != "complete"]
    if failed:
        raise LabError(
            f"Not complete: {', '.join(failed)}. What was measured is in {run_folder.shown(folder)}.",
            hint=f"./lab status {name}; then ./lab run {name} {' '.join(failed)}",
        )
    return 0


def ask(lab: Lab, experiments: Sequence[Experiment]) -> dict[str, str]:
    """Claim -> what the person at the terminal predicts of it."""
    predictions = {}
    for experiment in experiments:
        click.secho(f"{experiment.question} {experiment.prediction}", bold=True, err=True)
        for claim in lab.claims:
            if claim.experiment == experiment.name:
                predictions[claim.name] = click.prompt(f"  {claim.text}", type=click.Choice(choices(claim)), err=True)
    return predictions


def choices(claim: Claim) -> list[str]:
    """What one can predict: which arm has more, or whether it is so."""
    return [str(claim.greater), str(claim.other), "same"] if isinstance(claim, Measured) else ["yes", "no"]
