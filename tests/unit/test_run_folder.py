"""A run folder: what is written is what is read, and what was tampered with is refused with the reason."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.runs import run_folder
from labkit.runs.records import Repeat, Results, Run, Stage
from labkit.runs.run_folder import RUN, SAMPLES, RunError
from tests.unit.lab_fakes import empty_run

words = st.text(st.characters(codec="utf-8"), max_size=12)
names = words.filter(bool)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
facts = st.recursive(
    st.none() | st.booleans() | numbers | words,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(words, some, max_size=3),
    max_leaves=8,
)
stages = st.builds(Stage, words, numbers, words, st.floats(0, 10))
repeats = st.builds(
    Repeat,
    experiment=words,
    side=names,
    number=st.integers(0, 99),
    begun_s=numbers,
    values=st.dictionaries(words, numbers, max_size=3),
    action=words,
    stages=st.lists(stages, max_size=3).map(tuple),
    facts=st.dictionaries(words, facts, max_size=3),
    conditions=st.dictionaries(words, words | numbers, max_size=3),
    stream=words,
    marks=st.lists(words, max_size=2).map(tuple),
    problem=words,
)
experiments = st.builds(
    Results,
    name=names,
    question=words,
    state=st.sampled_from(["complete", "interrupted", "failed"]),
    seconds=st.floats(0, 1e6),
    repeats=st.lists(repeats, max_size=3).map(tuple),
    subject=st.lists(words, max_size=2).map(tuple),
    problem=words,
)
runs = st.builds(
    Run,
    id=names,
    lab=names,
    started=names,
    finished=words,
    commit=words,
    machine=st.dictionaries(words, facts, max_size=3),
    settings=st.fixed_dictionaries({"accelerator": st.sampled_from(["kvm", "tcg"])}),
    experiments=st.lists(experiments, max_size=2).map(tuple),
    predictions=st.dictionaries(words, words, max_size=2),
    quick=st.booleans(),
    full=st.booleans(),
)


@given(runs, st.lists(words, max_size=3))
def test_what_is_written_is_what_is_read(run: Run, samples: list[str]) -> None:
    """Every run comes back equal, with its samples counted."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = [json.dumps(sample) + "\n" for sample in samples]
        if lines:
            (folder / SAMPLES).write_text("".join(lines), encoding="utf-8")
        written = run_folder.save(run, folder)
        assert run_folder.load(folder) == written == dataclasses.replace(run, samples=len(lines))


def _run() -> Run:
    repeat = Repeat("start", "vm", 1, 0.5, {"ready_s": 9.5}, stages=(Stage("boot", 9.5, "console", 0.01),))
    experiment = Results("start", "how long?", "complete", 10.0, (repeat,))
    return empty_run(experiments=(experiment,), finished="2026-01-01T00:01:00+0000")


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        document = json.loads((folder / RUN).read_text(encoding="utf-8"))
        change(document)
        (folder / RUN).write_text(json.dumps(document), encoding="utf-8")

    return edit


def _cut(folder: Path) -> None:
    text = (folder / RUN).read_text(encoding="utf-8")
    (folder / RUN).write_text(text[: len(text) // 2], encoding="utf-8")


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no run.json": (lambda folder: (folder / RUN).unlink(), "run.json cannot be read: No such file or directory"),
    "truncated": (_cut, "run.json is truncated"),
    "not JSON": (lambda folder: (folder / RUN).write_text("{,}", encoding="utf-8"), "run.json is not JSON: "),
    "no object": (lambda folder: (folder / RUN).write_text('["}"]\n', encoding="utf-8"), "run.json is "),
    "another project": (
        _edit(lambda document: document.update(project="other")),
        "run.json is of another project: 'other', not 'vm-vs-container'",
    ),
    "unknown schema": (
        _edit(lambda document: document.update(schema_version=2)),
        "run.json has schema_version 2, this tool reads 1",
    ),
    "a missing part": (
        _edit(lambda document: document["run"].pop("machine")),
        "run.json, $.run: 'machine' is a required property",
    ),
    "a part too many": (
        _edit(lambda document: document["run"]["experiments"][0]["repeats"][0].update(winner="vm")),
        "run.json, $.run.experiments[0].repeats[0]: Additional properties are not allowed ('winner' was unexpected)",
    ),
    "an edited number": (
        _edit(lambda document: document["run"]["experiments"][0]["repeats"][0]["values"].update(ready_s=0.1)),
        "run.json was edited: its content is not what its digest says",
    ),
    "missing samples": (
        lambda folder: (folder / SAMPLES).write_text("[1]\n", encoding="utf-8"),
        "samples are missing: samples.jsonl has 4 bytes of 8",
    ),
    "no samples": (
        lambda folder: (folder / SAMPLES).unlink(),
        "samples are missing: samples.jsonl has 0 bytes of 8",
    ),
    "edited samples": (
        lambda folder: (folder / SAMPLES).write_text("[1]\n[3]\n", encoding="utf-8"),
        "samples.jsonl was edited: its content is not what its digest says",
    ),
    "added samples": (
        lambda folder: (folder / SAMPLES).write_text("[1]\n[2]\n[3]\n", encoding="utf-8"),
        "samples.jsonl was edited: it has 12 bytes, and had 8",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_run_is_refused_with_the_reason(case: str, tmp_path: Path) -> None:
    """Which folder, what is wrong, what to do."""
    (tmp_path / SAMPLES).write_text("[1]\n[2]\n", encoding="utf-8")
    run_folder.save(_run(), tmp_path)
    run_folder.load(tmp_path)
    spoil, reason = REFUSED[case]
    spoil(tmp_path)
    with pytest.raises(RunError) as refused:
        run_folder.load(tmp_path)
    assert refused.value.problem.startswith(f"The run {tmp_path} is refused: {reason}")
    assert refused.value.hint == f"measure again: ./lab run {tmp_path.parent.name}"


def test_a_run_that_was_killed_in_a_repeat_is_read_up_to_the_one_before(tmp_path: Path) -> None:
    """Samples that run.json does not know yet are no edit while the run is not finished."""
    (tmp_path / SAMPLES).write_text("[1]\n", encoding="utf-8")
    run = run_folder.save(dataclasses.replace(_run(), finished=""), tmp_path)
    (tmp_path / SAMPLES).write_text("[1]\n[2]\n[3", encoding="utf-8")
    (tmp_path / f".{RUN}.1").write_text("{half", encoding="utf-8")
    assert run_folder.load(tmp_path) == run


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    """The error says so; the old run.json is whole and no draft is left."""
    before = run_folder.save(_run(), tmp_path)
    full = Path("/dev/full")
    if not full.exists():
        pytest.fail("this system has no /dev/full")
    (tmp_path / f".{RUN}.{os.getpid()}").symlink_to(full)
    with pytest.raises(RunError) as refused:
        run_folder.save(dataclasses.replace(_run(), commit="other"), tmp_path)
    assert refused.value.problem == (
        f"The run {tmp_path} cannot be written: No space left on device. What was measured before is kept."
    )
    assert run_folder.load(tmp_path) == before
    assert [file.name for file in tmp_path.iterdir()] == [RUN]


def test_two_runs_of_one_second_have_two_folders(tmp_path: Path) -> None:
    """The second gets a number."""
    assert [run_folder.new("deployment", "1", tmp_path).name for _ in range(3)] == ["1", "1-2", "1-3"]


def test_the_newest_run_is_found_and_an_unknown_one_is_not(tmp_path: Path) -> None:
    """With those that there are."""
    with pytest.raises(RunError, match="There is no run of lab deployment yet"):
        run_folder.find("deployment", runs=tmp_path)
    for stamp in ("20260101T000000", "20260102T000000"):
        run_folder.save(_run(), run_folder.new("deployment", stamp, tmp_path))
    assert run_folder.find("deployment", runs=tmp_path).name == "20260102T000000"
    assert run_folder.find("deployment", "20260101T000000", tmp_path).name == "20260101T000000"
    with pytest.raises(RunError) as refused:
        run_folder.find("deployment", "x", tmp_path)
    assert refused.value.problem == (
        "There is no run 'x' of lab deployment; the newest are 20260101T000000, 20260102T000000."
    )


def test_a_run_is_found_by_its_folder_wherever_it_lies(tmp_path: Path) -> None:
    """A class hands its folders in; one of another lab is refused by its name."""
    run_folder.save(_run(), run_folder.new("deployment", "anna", tmp_path))
    theirs = tmp_path / "deployment" / "anna"
    assert run_folder.of("deployment", str(theirs)) == (theirs, run_folder.load(theirs))
    with pytest.raises(RunError, match="is a run of the lab deployment, not of failover") as refused:
        run_folder.of("failover", str(theirs))
    assert refused.value.hint == f"./lab report deployment {theirs}"
