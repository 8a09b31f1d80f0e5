"""./lab bench guide: what a guide's commands take comes from its fences; one that fails gives no figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench import common, guide, tables
from bench.guide import GuideWalk
from labkit.guide import model
from labkit.guide.text import Fence
from labkit.guide.walk import Ran
from labkit.system.errors import LabError
from tests.unit import guide_text
from tests.unit.lab_fakes import Told

GUIDE = model.parse(
    guide_text.guide(experiment=f"{guide_text.step('One')}\n{guide_text.step('Two', hint='do it again')}"), lab="demo"
)
SETTINGS = "config: {}\n"


class Walker:
    """Runs nothing: a command takes 1 s, 2 s in the second walk and so on, a check half a second."""

    def __init__(self, stack_file: Path, fails: Fence | None = None) -> None:
        self.stack_file = stack_file
        self.fails = fails
        self.walks = 0
        self.ran: list[Fence] = []

    def __call__(self, _ready: object, _lab: str) -> guide.Run:
        self.walks += 1
        return self._run

    def _run(self, fence: Fence) -> Ran:
        self.ran.append(fence)
        self.stack_file.write_text("config: {replicas: 2}\n", encoding="utf-8")
        failed = fence is self.fails
        seconds = self.walks if fence.language == "sh" else 0.5
        return Ran(fence, 7 if failed else 0, seconds, "what it said\n" if failed else "")


@pytest.fixture
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lab's settings; no engine, nothing to take down."""
    monkeypatch.setattr(guide, "CHECKOUT", tmp_path)
    monkeypatch.setattr(common, "machine_box", lambda _: {"cpus": 2})
    monkeypatch.setattr(GuideWalk, "_down", lambda _: None)
    file = tmp_path / "Pulumi.some.yaml"
    file.write_text(SETTINGS, encoding="utf-8")
    return file


def walked(walker: Walker, repeats: int, progress: Told | None = None) -> dict[str, Any]:
    ready: Any = None
    return GuideWalk(ready, progress or Told(), "some", GUIDE, walker).run(repeats)


def test_steps_sections_and_all_are_sums_of_their_fences(stack_file: Path) -> None:
    """A step is its command and its check; a section without steps is no figure; the spread is that of the walks."""
    result = walked(Walker(stack_file), 3)
    found = {figure["name"]: figure for figure in result["figures"]}
    assert found["step 2: Do bring up"]["repeats"] == [1.5, 2.5, 3.5]
    assert found["step 6: Two"]["repeats"] == [1.5, 2.5, 3.5]
    assert found["section Bring up"]["repeats"] == [1.5, 2.5, 3.5]
    assert found["section Experiment"]["repeats"] == [3.0, 5.0, 7.0]
    every = found[tables.ALL]
    assert (every["median"], every["min"], every["max"]) == (22.5, 13.5, 31.5)
    assert len(found) == len(result["figures"]) == 9 + 8 + 1
    assert "section Predict" not in found


@pytest.mark.parametrize("repeats", [3, 4])
def test_the_guide_is_walked_as_often_as_asked(stack_file: Path, repeats: int) -> None:
    """Every fence each time, in order."""
    walker = Walker(stack_file)
    result = walked(walker, repeats)
    assert walker.ran == [*GUIDE.fences] * repeats
    assert {figure["n"] for figure in result["figures"]} == {result["repeats"]} == {repeats}


@pytest.mark.parametrize(("language", "what"), [("sh", "command"), ("check", "check")])
def test_a_fence_that_fails_ends_the_bench(stack_file: Path, language: str, what: str) -> None:
    """Naming the step, with its hint; what was walked through has changed no setting."""
    step = GUIDE.steps[5]
    fence = step.command if language == "sh" else step.check
    walker, progress = Walker(stack_file, fence), Told()
    with pytest.raises(LabError) as failed:
        walked(walker, 3, progress)
    assert failed.value.problem == (f"Step 6 of the guide, 'Two': its {what} ended with status 7.\nwhat it said")
    assert failed.value.hint == "do it again"
    assert walker.walks == 1
    assert progress.lines[-1] == "  step 6 of 9: Two"
    assert stack_file.read_text(encoding="utf-8") == SETTINGS
