"""Two runs compared and a class merged: same claims, machines told apart, nothing broken hidden."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from labkit.commands import report_html
from labkit.judge.model import Judgement, Verdict
from labkit.report import compare, html, merge
from labkit.runs import run_folder
from labkit.system.errors import LabError
from tests.unit import judged, runs

RUN = runs.run()
FAST = dataclasses.replace(RUN, id="fast", machine={**RUN.machine, "cpus": 8}, settings={"accelerator": "kvm"})


def test_differing_entries_are_told() -> None:
    """Of two machine boxes exactly those that differ are marked."""
    found = compare.differences(RUN.machine, FAST.machine)
    assert [fact.name for fact in found if fact.differs] == ["cpus"]
    assert len(found) == len(RUN.machine)


def test_a_contradiction_is_said() -> None:
    """The same claim that holds on A and does not on B, and one that only A knows."""
    rows = judged.rows(RUN)
    flipped = tuple(
        dataclasses.replace(row, parts=tuple(dataclasses.replace(part, verdict="does not hold") for part in row.parts))
        for row in rows[:1]
    )
    both = (compare.Judged("A", [(RUN, rows)]), compare.Judged("B", [(FAST, flipped)]))
    says = {pair.claim.name: pair.says for pair in compare.pairs(both)}
    assert says["image-larger"] == "they contradict each other"
    assert says["memory-more"] == "only in one run"


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        (("holds", "holds"), "the same on both"),
        (("holds", "does not hold"), "they contradict each other"),
        (("holds", "not decidable here"), "decided on one alone"),
        (("not comparable", "not comparable"), "decided on neither"),
        (("holds", None), "only in one run"),
    ],
)
def test_what_two_verdicts_say_together(verdicts: tuple[Verdict | None, ...], says: str) -> None:
    """Two that are open do not agree on anything."""
    part = judged.rows(RUN)[0].parts[0]
    judgements = tuple(dataclasses.replace(part, verdict=verdict) if verdict else None for verdict in verdicts)
    assert compare.Pair(part.claim, judgements, "").says == says


def test_runs_that_are_not_comparable_are_named_with_the_reason() -> None:
    """Each reason once; a run whose claims are all comparable is not named."""
    rows = judged.rows(RUN)

    def unlike(part: Judgement) -> Judgement:
        return dataclasses.replace(part, verdict="not comparable", reason="The storage differs.")

    marked = tuple(dataclasses.replace(row, parts=tuple(unlike(part) for part in row.parts)) for row in rows)
    entries = [merge.Entry("anna", RUN, rows), merge.Entry("ben", RUN, marked)]
    found = merge.unfair(entries)
    assert found["ben"] == ["The storage differs."]
    assert found.get("anna", []) == [
        part.reason for row in rows for part in row.parts if part.verdict == "not comparable"
    ]
    assert "The storage differs." in merge.page(entries, [], place="class")


def test_a_class_is_spread_over_kinds_of_machine() -> None:
    """Accelerator and cores make the kind; ratios are spread within it; predictions are counted."""
    entries = [merge.Entry(str(n), one, judged.rows(one)) for n, one in enumerate((RUN, FAST, RUN))]
    larger = next(one for one in merge.merged(entries) if one.claim.name == "image-larger")
    assert {kind.kind: len(kind.ratios) for kind in larger.kinds} == {"TCG, 2 cores": 2, "KVM, 8 cores": 1}
    assert (dict(larger.predicted), larger.hits) == ({"vm": 3}, 3)


def test_broken_runs_are_named_and_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page is made of the others."""
    for name in ("anna", "ben", "carl"):
        (tmp_path / name).mkdir()
        run_folder.save(dataclasses.replace(RUN, id=name), tmp_path / name)
    cut = tmp_path / "ben" / run_folder.RUN
    cut.write_bytes(cut.read_bytes()[:-300])
    assert report_html.merge("deployment", tmp_path, None) == 0
    assert "Left out: ben" in capsys.readouterr().err
    page = (tmp_path / report_html.PAGE).read_text(encoding="utf-8")
    assert "ben" in page
    assert "2 runs" in page
    assert len(page.encode()) < html.LARGEST_BYTES


def test_nothing_but_our_own_pages_is_written_over(tmp_path: Path) -> None:
    """A page of ours is; anything else is refused, and left as it was."""
    theirs = tmp_path / "thesis.html"
    theirs.write_text("<html>mine</html>", encoding="utf-8")
    with pytest.raises(LabError, match="no page of this tool"):
        report_html.writable(theirs)
    assert theirs.read_text(encoding="utf-8") == "<html>mine</html>"
    theirs.write_bytes(report_html.OURS)
    assert report_html.writable(theirs) == theirs
    with pytest.raises(LabError, match="no folder"):
        report_html.writable(tmp_path / "nowhere" / "page.html")
