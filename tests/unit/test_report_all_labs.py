"""./lab report without a lab, on runs as they lie on the disk: chosen, compared, merged, and in the README."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labkit import cli
from labkit.commands import guide, report_article, report_html
from labkit.guide import nine_rows
from labkit.judge.rows import ARTICLE, ROWS
from labkit.measure import labs
from labkit.report import article
from labkit.runs import run_folder
from labkit.runs.records import Run
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from tests.unit import judging, recorded, runs

RUN = dataclasses.replace(runs.run(), samples=0)
"""Of the deployment lab, not whole: *update* was interrupted and *portability* is not there."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs instead of the checkout's own."""
    monkeypatch.setattr(run_folder, "RUNS", tmp_path / "runs")
    return tmp_path / "runs"


def save(place: Path, one: Run, name: str = "") -> Path:
    """Write a run where the tool would; its folder."""
    folder = place / one.lab / (name or one.id)
    folder.mkdir(parents=True)
    run_folder.save(one, folder)
    return folder


def whole(day: int, **changes: Any) -> Run:
    """A whole run of the deployment lab, of that day of November."""
    there = {one.name: one for one in (*judging.run().experiments, *RUN.experiments)}
    experiments = tuple(
        dataclasses.replace(there.get(one.name, RUN.experiments[3]), name=one.name, state="complete", problem="")
        for one in labs.load("deployment").experiments
    )
    fields = {"id": f"202611{day:02}T100000", "started": f"2026-11-{day:02}T10:00:00+00:00"}
    return dataclasses.replace(RUN, **{"experiments": experiments, "predictions": {}, **fields, **changes})


def tool(*words: str) -> Result:
    """What ./lab does with these words."""
    return CliRunner().invoke(cli.lab, words, catch_exceptions=True)


def facts() -> dict[str, Any]:
    """What `./lab report --json` says."""
    done = tool("report", "--json")
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_without_any_run_all_rows_are_there_and_what_to_run(place: Path) -> None:
    """In the terminal, as JSON and as a page; no folder of runs is needed for that."""
    done = tool("report")
    assert done.exit_code == 0
    assert all(row.split()[0] in done.stdout for row in ROWS)
    assert "./lab up deployment && ./lab run deployment" in " ".join(done.stdout.split())
    told = facts()
    assert {row["verdict"] for row in told["rows"]} == {"not measured"}
    named = dict.fromkeys(stated.lab for stated in ARTICLE)
    assert [one["lab"] for one in told["missing"]] == [name for name in named if name in stack_files.names()]
    assert tool("report", "--html").exit_code == 0
    assert "There is none yet." in (place / report_html.PAGE).read_text(encoding="utf-8")


def test_the_newest_whole_run_is_the_one_that_is_shown(place: Path) -> None:
    """Of a lab with older ones and a quick one after it, which is named."""
    for one in (whole(3), whole(9), whole(20, quick=True)):
        save(place, one)
    told = facts()
    assert [Path(one["folder"]).name for one in told["runs"]] == ["20261109T100000"]
    assert [(Path(one["folder"]).name, one["reason"]) for one in told["left_out"]] == [
        ("20261120T100000", "it is quick, a whole run comes first")
    ]


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-300])


def _edited(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace('"cpus": 2', '"cpus": 64', 1), encoding="utf-8")


def _as(**changes: Any) -> Callable[[Path], None]:
    def change(file: Path) -> None:
        file.write_text(json.dumps({**json.loads(file.read_text(encoding="utf-8")), **changes}), encoding="utf-8")

    return change


@pytest.mark.parametrize("day", [1, 20])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "run.json is truncated"),
        (_edited, "run.json was edited"),
        (_as(schema_version=99), "run.json has schema_version 99, this tool reads 1"),
        (_as(project="thesis"), "run.json is of another project"),
        (_as(run={"lab": 3}), "run.json names no lab"),
        (_as(run=None), "run.json names no lab"),
        (_as(run={"lab": "deployment"}), "run.json was edited"),
        (lambda file: file.write_bytes(b"\xff\x00"), "run.json is"),
        (lambda file: file.write_text('{"run": NaN}', encoding="utf-8"), "NaN is no number"),
    ],
)
def test_runs_that_are_broken_or_of_other_versions_are_left_out_by_name(
    place: Path, damage: Callable[[Path], None], reason: str, day: int
) -> None:
    """Older and newer than what is shown alike; the table is made of the others."""
    save(place, whole(9))
    damage(save(place, whole(day)) / run_folder.RUN)
    told = facts()
    assert [Path(one["folder"]).name for one in told["runs"]] == ["20261109T100000"]
    (left_out,) = told["left_out"]
    assert left_out["folder"].endswith(f"202611{day:02}T100000")
    assert reason in left_out["reason"]
    assert "Left out" in tool("report").stdout


def test_a_newer_run_of_another_shape_is_left_out_by_name(place: Path) -> None:
    """Its digest is right, but it is not what this version reads."""
    save(place, whole(9))
    file = save(place, whole(20)) / run_folder.RUN
    content = {**json.loads(file.read_text(encoding="utf-8"))["run"], "experiments": [{"name": 3}]}
    _as(run=content, run_sha256=run_folder._digest(content))(file)
    told = facts()
    assert [Path(one["folder"]).name for one in told["runs"]] == ["20261109T100000"]
    assert "experiments" in told["left_out"][0]["reason"]


def test_a_run_of_a_lab_that_is_not_in_this_version_is_left_out_by_name(place: Path) -> None:
    """With the lab's name."""
    save(place, whole(9, lab="thesis"))
    assert [one["reason"] for one in facts()["left_out"]] == ["the lab thesis is not in this version"]


def test_runs_too_old_to_matter_are_only_looked_at(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, one is read whole."""
    for day in (3, 4, 5, 6, 9):
        save(place, whole(day))
    read: list[str] = []
    load = run_folder.load

    def counted(folder: Path) -> Run:
        read.append(folder.name)
        return load(folder)

    monkeypatch.setattr(run_folder, "load", counted)
    facts()
    assert read == ["20261109T100000"]


def test_two_folders_of_runs_are_compared_over_all_labs(place: Path, tmp_path: Path) -> None:
    """Claims of every lab that either has, by the article's rows; what was left out is said; a run's id will do."""
    save(place, whole(9))
    other = tmp_path / "theirs"
    save(other, whole(10, machine={**runs.MACHINE, "cpus": 64}))
    save(other, recorded.run("bridged", "nat", "published", "address", "host"), "paths")
    _cut(save(other, whole(11)) / run_folder.RUN)
    for first in (str(place), "20261109T100000"):
        done = tool("report", "--compare", first, str(other))
        assert done.exit_code == 0, done.output
        assert "Left out:" in done.stderr
        assert "20261111T100000" in done.stderr
        page = (place / "compare.html").read_text(encoding="utf-8")
        assert "64" in page
        assert page.count('<th scope="row">Load balancing</th>') == 1
        assert "lab networking" in page
        assert "only in one run" in page
        assert page.index(">Size<") < page.index(">Speed<") < page.index(">Networking<")


@pytest.mark.parametrize("given", ["nowhere", "empty"])
def test_comparing_with_what_has_no_run_is_refused(place: Path, tmp_path: Path, given: str) -> None:
    """Naming it."""
    save(place, whole(9))
    (tmp_path / "empty").mkdir()
    name = str(tmp_path / given) if given == "empty" else given
    with pytest.raises(LabError, match=f"no readable run '{name}'"):
        report_html.compare(None, str(place), name, None)
    assert not (place / "compare.html").exists()


def test_a_class_is_merged_over_all_labs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The claims of each run's own lab, by the article's rows; runs of labs that are not in this version are named."""
    save(tmp_path / "anna", whole(9))
    save(tmp_path / "ben", recorded.run("bridged", "nat", "published", "address", "host"), "paths")
    save(tmp_path / "carl", whole(10, lab="thesis"))
    assert report_html.merge(None, tmp_path, None) == 0
    assert "Left out: carl/thesis/20261110T100000: a run of the lab thesis" in capsys.readouterr().err
    page = (tmp_path / report_html.PAGE).read_text(encoding="utf-8")
    assert "deployment, networking" in page
    assert page.index(">Size<") < page.index(">Networking<")


def test_merging_nothing_is_refused(tmp_path: Path) -> None:
    """With the command that makes a run."""
    with pytest.raises(LabError, match="no readable run below") as refused:
        report_html.merge(None, tmp_path, None)
    assert refused.value.hint == f"./lab run {stack_files.example()}"


@pytest.mark.parametrize(
    "words",
    [
        ("--readme", "--json"),
        ("--readme", "--html"),
        ("--merge", ".", "--compare", "a", "b"),
        ("--merge", ".", "--json"),
        ("deployment", "--readme"),
        ("deployment", "some-run", "--compare", "a", "b"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...]) -> None:
    """Before anything is read or written."""
    done = tool("report", *words)
    assert isinstance(done.exception, LabError)


def test_the_readmes_table_is_made_from_the_stored_runs() -> None:
    """It is current: ./lab report --readme would change nothing."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert nine_rows.into(text, report_article.stored()) == text, "./lab report --readme makes it anew"


def test_only_the_block_of_a_page_is_made_anew() -> None:
    """A row each, with its verdict; what stands around it stays; a page without the block is refused."""
    table = article.table([labs.load("deployment")], [article.Held("x", whole(9))])
    made = nine_rows.into(f"a\n{nine_rows.BEGIN}\nbefore\n{nine_rows.END}\nb\n", table)
    assert made.startswith(f"a\n{nine_rows.BEGIN}\n| row |")
    assert made.endswith(f"{nine_rows.END}\nb\n")
    assert "before" not in made
    assert nine_rows.into(made, table) == made
    assert [line.split(" | ")[0].removeprefix("| ") for line in made.splitlines() if line.startswith("| ")][1:] == [
        *ROWS
    ]
    assert "| **holds** | holds: 3 | [deployment](labs/deployment/README.md) (A) |" in made
    with pytest.raises(LabError, match="no block"):
        nine_rows.into("a\n", table)


def test_a_lab_that_stores_a_run_makes_the_readmes_table_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the one command that stores it."""
    copy = tmp_path / "checkout"
    (copy / "labs" / "deployment").mkdir(parents=True)
    shutil.copy(CHECKOUT / "labs" / "deployment" / "README.md", copy / "labs" / "deployment")
    (copy / "README.md").write_text(f"{nine_rows.BEGIN}\n{nine_rows.END}\n", encoding="utf-8")
    for module in (guide, report_article):
        monkeypatch.setattr(module, "CHECKOUT", copy)
    stored = Path("labs", "deployment", run_folder.STORED)
    # The second time it is the stored one itself, as when only the wording has changed.
    for run in (CHECKOUT / stored, copy / stored):
        assert guide.figures("deployment", str(run)) == 0
    assert "| Size |" in (copy / "README.md").read_text(encoding="utf-8")
    assert "(A) |" in (copy / "README.md").read_text(encoding="utf-8")
