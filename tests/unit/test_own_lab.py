"""A lab that `./lab new` makes passes the suite at once; the how-tos are executed as they stand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labkit.commands import new
from labkit.system import stack_files
from labkit.system.errors import LabError
from tests.howtos import ENGINES, Fence, copy, execute, fences

pytestmark = pytest.mark.slow

WITHOUT_ENGINES = [
    *(fence for fence in fences("own-lab") if fence.section != ENGINES),
    *fences("own-experiment"),
    *fences("own-fault"),
]

WRONG = {
    "Demo": "No lab can be called 'Demo': a name is one word of 2 to 20 small letters and digits",
    "a": "No lab can be called 'a'",
    "my-lab": "No lab can be called 'my-lab'",
    "class": "No lab can be called 'class'",
    "test": "No lab can be called 'test': this tool's own state has that name.",
    "taken": "There is a lab 'taken' already, or something is left of one: labs/taken, .state/taken.",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this checkout, with a .venv that takes all packages from this one's."""
    made = tmp_path_factory.mktemp("own-lab") / "checkout"
    copy(made)
    return made


@pytest.mark.parametrize("name", WRONG)
def test_a_name_that_will_not_do_is_refused(name: str) -> None:
    """With the rule; nothing is made."""
    assert new.wrong(name, {"taken"}).startswith(WRONG[name])


def test_a_lab_that_is_there_is_not_written_over() -> None:
    """By its own name."""
    with pytest.raises(LabError) as refused:
        new.run(stack_files.example())
    assert refused.value.problem.startswith(f"There is a lab {stack_files.example()!r} already")
    assert refused.value.hint == "choose another name: ./lab new NAME"


def test_every_fence_of_the_pages_is_executed_here_or_on_engines() -> None:
    """Those below one heading need engines: tests/engines/apart/test_own_lab.py."""
    on_engines = [fence for fence in fences("own-lab") if fence.section == ENGINES]
    assert on_engines
    every = [fence for page in ("own-lab", "own-experiment", "own-fault") for fence in fences(page)]
    assert len(WITHOUT_ENGINES) + len(on_engines) == len(every)


@pytest.mark.timeout(900)
def test_the_pages_say_what_works(checkout: Path) -> None:
    """From `./lab new` to an experiment and a fault of one's own; the new lab passes the suite at each step."""
    executed: list[Fence] = []
    for fence in WITHOUT_ENGINES:
        execute(fence, checkout, within_s=400)
        executed.append(fence)
    assert executed == WITHOUT_ENGINES


@pytest.mark.timeout(400)
def test_the_pages_of_two_labs_are_built(checkout: Path, tmp_path: Path) -> None:
    """Guide and page for instructors of each, also of the one that has no stored run."""
    if not (checkout / "Pulumi.demo.yaml").exists():
        execute(fences("own-lab")[0], checkout, within_s=60)
    words = [".venv/bin/python", "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "html"]
    done = subprocess.run(
        [*words, "docs", str(tmp_path)], cwd=checkout, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    made = {str(file.relative_to(tmp_path)) for file in tmp_path.glob("t*/*.html")}
    labs = {"demo", *stack_files.names()}
    assert made == {f"{folder}/{lab}.html" for folder in ("tutorial", "teach") for lab in labs}
