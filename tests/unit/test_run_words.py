"""What `run` and `report` say to wrong words: exact texts, and nothing is touched."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from labkit.cli import lab as tool
from labkit.commands import run as run_command
from labkit.judge.model import Claim, Measured
from labkit.lifecycle import in_use, steady
from labkit.measure import labs
from labkit.system import stack_files
from labkit.system.errors import LabError
from tests.unit.lab_fakes import CONTRACT

WORDS: dict[str, tuple[list[str], str, str]] = {
    "unknown lab": (
        ["run", "deploymnt"],
        "There is no lab 'deploymnt'; there is {labs}.",
        "Did you mean deployment?",
    ),
    "unknown lab, report": (
        ["report", "x"],
        "There is no lab 'x'; there is {labs}.",
        f"Try: ./lab up {stack_files.example()}",
    ),
    "unknown experiment": (
        ["run", "deployment", "sice"],
        "The lab deployment has no experiment 'sice'; there is {experiments}.",
        "Did you mean size?",
    ),
    "unknown experiment, nothing like it": (
        ["run", "deployment", "size", "xyz"],
        "The lab deployment has no experiment 'xyz'; there is {experiments}.",
        "Try: ./lab run deployment size",
    ),
    "nobody to ask": (
        ["run", "deployment", "--predict"],
        "--predict asks questions, and there is nobody to ask: stdin is no terminal.",
        "leave it out",
    ),
}


@pytest.mark.parametrize("case", WORDS)
def test_wrong_words(case: str) -> None:
    """What was given, the rule, the next step."""
    words, problem, hint = WORDS[case]
    with pytest.raises(LabError) as refused:
        CliRunner().invoke(tool, words, catch_exceptions=False, standalone_mode=False)
    experiments = ", ".join(one.name for one in labs.load("deployment").experiments)
    assert refused.value.problem == problem.format(experiments=experiments, labs=", ".join(stack_files.names()))
    assert refused.value.hint == hint


class _Down:
    """A Pulumi whose stack has no outputs."""

    def outputs(self, _lab: str) -> dict[str, object]:
        """None."""
        return {}


class _Ready:
    pulumi = _Down()


def test_a_lab_that_is_not_up_is_refused() -> None:
    """With the command that brings it up."""
    with pytest.raises(LabError) as refused:
        steady.contract(_Ready(), "deployment")  # type: ignore[arg-type]  # all that is asked
    assert (
        refused.value.problem == "The lab deployment cannot be measured: the stack has no outputs: the lab is not up."
    )
    assert refused.value.hint == "./lab up deployment"


def test_two_commands_do_not_change_or_measure_one_lab_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is refused while the first is at work, whatever they are, and may work when it is over; another lab is
    nobody's."""
    monkeypatch.setattr(in_use, "STATE", tmp_path)
    with in_use.by("up", "deployment"):
        with pytest.raises(LabError) as refused, in_use.by("run", "deployment"):
            pytest.fail("both run")
        assert refused.value.problem == f"The lab deployment is in use by ./lab up (process {os.getpid()})."
        assert refused.value.hint == "wait until it has ended, or end it by Ctrl-C"
        with in_use.by("run", "failover"):
            pass
    with in_use.by("down", "deployment"):
        pass


def test_a_replica_that_does_not_answer_is_named() -> None:
    """With its address and what happened."""
    silent = CONTRACT.replicas[0].__class__("vm-1", "vm", "server-1", "http://127.0.0.1:9", "vm-1")
    told = steady.wrong(silent, "1")
    assert told.startswith("vm-1 at http://127.0.0.1:9 does not answer: ConnectionRefusedError")
    behind = replace(silent, name="vm-2", path="nat")
    assert steady.wrong(behind, "1").startswith("vm-2 at http://127.0.0.1:9 (path nat) does not answer: Connection")


CLAIMS = [
    pytest.param(lab, claim, id=f"{lab} {claim.name}") for lab in stack_files.names() for claim in labs.load(lab).claims
]


@pytest.mark.parametrize(("lab", "claim"), CLAIMS)
def test_every_claim_can_be_predicted(lab: str, claim: Claim) -> None:
    """By one of its arms or `same`, or by yes and no; and it rests on an experiment of the lab."""
    known = [one.name for one in labs.load(lab).experiments]
    assert claim.experiment in known
    arms = [str(claim.greater), str(claim.other), "same"] if isinstance(claim, Measured) else ["yes", "no"]
    assert run_command.choices(claim) == arms


def test_predictions_are_asked_for_the_chosen_experiments_alone() -> None:
    """A wrong word is asked again; the answers are kept by claim."""
    lab_ = labs.load("deployment")

    @click.command()
    def ask() -> None:
        click.echo(json.dumps(run_command.ask(lab_, lab_.chosen(("start",)))))

    wanted = [claim.name for claim in lab_.claims if claim.experiment == "start"]
    done = CliRunner().invoke(ask, input="perhaps\n" + "same\n" * len(wanted), catch_exceptions=False)
    assert json.loads(done.stdout.strip().splitlines()[-1]) == dict.fromkeys(wanted, "same")
    assert "'perhaps' is not one of 'vm', 'container', 'same'" in done.output
