"""The article's table: nine rows, each with its parts and one verdict."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from infra.sides import KINDS
from labkit.judge import rows, words
from labkit.judge.model import Claim, Measured, Verdict
from labkit.measure import labs
from labkit.runs.records import Arm
from labkit.sides import SIDES
from labkit.system import stack_files
from labs.deployment import size, start
from tests.unit import judging
from tests.unit.judging import LARGER, STARTS
from tests.unit.test_house import imports


@pytest.mark.parametrize(
    ("parts", "row"),
    [
        ([], "not measured"),
        (["holds"], "holds"),
        (["holds", "holds"], "holds"),
        (["holds", "does not hold", "not comparable", "not decidable here", "not measured"], "does not hold"),
        (["holds", "not comparable", "not decidable here", "not measured"], "not comparable"),
        (["not measured", "not decidable here", "holds"], "not decidable here"),
        (["holds", "not measured"], "not measured"),
    ],
)
def test_a_row_holds_only_if_each_part_does(parts: list[Verdict], row: Verdict) -> None:
    """And otherwise has the verdict of the part that weighs most against it."""
    assert rows.combined(parts) == row


def test_the_table_has_the_articles_nine_rows() -> None:
    """In its order, with what it says of both; what this run did not measure says so."""
    table = rows.judge(judging.run(), (LARGER, STARTS))
    assert [row.name for row in table] == [stated.name for stated in rows.ARTICLE]
    assert len(table) == 9
    assert {row.name: row.verdict for row in table if row.parts} == {"Size": "holds", "Speed": "holds"}
    assert {row.verdict for row in table if not row.parts} == {"not measured"}


def test_what_stands_beside_a_row_is_told_and_does_not_touch_its_verdict() -> None:
    """A claim that the article does not make is refuted: that refutes nothing that it states."""
    other = dataclasses.replace(LARGER, name="smaller", greater=LARGER.other, other=LARGER.greater)
    against = rows.judge(judging.run(), (LARGER, other))[0]
    assert against.verdict == "does not hold"
    row = rows.judge(judging.run(), (LARGER, dataclasses.replace(other, beside="nobody says so")))[0]
    assert [part.verdict for part in row.parts] == ["holds", "does not hold"]
    assert row.verdict == "holds"
    assert words.reason(row.parts[1]).endswith(" Beside the row, as nobody says so.")
    assert words.verdict(row.parts[1]).endswith(" Beside the row, as nobody says so.")


@pytest.mark.parametrize(
    ("claims", "flaw"),
    [
        ((LARGER, LARGER), "there are several claims 'larger'"),
        (
            (LARGER, dataclasses.replace(STARTS, metric=dataclasses.replace(STARTS.metric, name=LARGER.metric.name))),
            "the claims have several metrics 'image_allocated_bytes'",
        ),
        ((dataclasses.replace(LARGER, row="Colour"),), "the table has no row 'Colour'"),
        ((dataclasses.replace(LARGER, greater=Arm("podman")),), "'podman' is no side; there are vm, container"),
        ((dataclasses.replace(LARGER, other=Arm("podman")),), "'podman' is no side; there are vm, container"),
        (
            (dataclasses.replace(LARGER, other=Arm("vm", {"path": "nat"})),),
            "vm and vm nat are not two arms, one is in the other",
        ),
        ((dataclasses.replace(LARGER, effect=1.0),), "is 1, and must be above 1"),
        ((dataclasses.replace(LARGER, bound_by="cpu"),), "image_allocated_bytes (bytes) cannot be bound by cpu"),
        *(
            (
                (dataclasses.replace(STARTS, bound_by=bound),),
                f"start_s (s) cannot be bound by {bound}, only by timer or cpu",
            )
            for bound in ("bytes", "sharing", "memory")
        ),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(claims: tuple[Claim, ...], flaw: str) -> None:
    """Before anything is judged; and no claim gets around the rule for emulated CPUs by calling seconds bytes."""
    with pytest.raises(ValueError, match="claim") as error:
        rows.judge(judging.run(), claims)
    assert flaw in str(error.value)


@pytest.mark.parametrize("lab", stack_files.names())
def test_a_labs_claims_make_sense(lab: str) -> None:
    """Each has a row, a cause, and a reason for its smallest effect."""
    claims = labs.load(lab).claims
    assert claims
    assert not rows.flaws(claims)
    for claim in claims:
        assert claim.text.endswith(".")
        assert claim.because.endswith(".")
        assert not isinstance(claim, Measured) or claim.effect_because


def test_what_is_known_of_sides_is_known_of_each() -> None:
    """A new side comes with its kind."""
    assert set(KINDS) == set(SIDES)


@pytest.mark.parametrize("file", sorted(Path(rows.__file__).parent.glob("*.py")), ids=lambda file: file.stem)
def test_the_judge_knows_no_clock_no_chance_and_no_machine(file: Path) -> None:
    """Pure: what is judged is in the run, and nowhere else."""
    names = {name.split(".")[0] for name in imports(file)}
    assert not names & {"os", "pathlib", "subprocess", "socket", "platform", "time", "datetime", "random", "secrets"}


@pytest.mark.parametrize(("accelerator", "speed"), [("kvm", "holds"), ("tcg", "not decidable here")])
def test_the_deployment_lab_judges_size_and_speed(accelerator: str, speed: Verdict) -> None:
    """With an emulated CPU the slower start stays open, and the bytes are what they are."""
    table = {row.name: row for row in rows.judge(judging.run(accelerator=accelerator), (*size.CLAIMS, *start.CLAIMS))}
    assert (table["Size"].verdict, table["Speed"].verdict) == ("holds", speed)
    assert (len(table["Size"].parts), len(table["Speed"].parts)) == (3, 2)
