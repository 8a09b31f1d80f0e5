"""A lock is held by one at a time, and waited for within bounds."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from labkit.system.errors import LabError
from labkit.system.locks import held

TOO_LONG = LabError("It is held.", hint="wait")


def test_a_lock_is_taken_as_soon_as_its_holder_lets_go(tmp_path: Path) -> None:
    """Whoever waits says so meanwhile."""
    told = []
    with ExitStack() as first:
        first.enter_context(held(tmp_path / "lock", 0, TOO_LONG))

        def waiting() -> None:
            told.append("waits")
            first.close()

        with held(tmp_path / "lock", 60, TOO_LONG, waiting), pytest.raises(LabError, match="It is held"):
            held(tmp_path / "lock", 0, TOO_LONG).__enter__()
    assert told == ["waits"]


def test_a_lock_is_let_go_of_after_a_failure(tmp_path: Path) -> None:
    """What fails while it is held is told as it is."""
    with pytest.raises(ZeroDivisionError), held(tmp_path / "lock", 0, TOO_LONG):
        raise ZeroDivisionError
    with held(tmp_path / "lock", 0, TOO_LONG):
        pass


def test_a_folder_can_be_held(tmp_path: Path) -> None:
    """Nothing is made in it: what a checkout keeps is as before."""
    with held(tmp_path, 0, TOO_LONG), pytest.raises(LabError, match="It is held"):
        held(tmp_path, 0, TOO_LONG).__enter__()
    assert list(tmp_path.iterdir()) == []
