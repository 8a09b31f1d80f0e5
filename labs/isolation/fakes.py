"""What this lab's commands do to it, for the suite: see labkit.measure.testing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labkit.lifecycle import inside
from labkit.measure.testing import FakeLab, Patch
from labs.isolation import _fakes_inside, _fakes_kernel, _fakes_neighbours, _fakes_surface


class Fake(FakeLab):
    """It has two replicas a side. A command that is not here counts as one that changes the lab."""

    def __init__(self, name: str, folder: Path, interrupt_at: int = -1) -> None:
        super().__init__(name, folder, interrupt_at)
        self.replicas = 2

    def does(self, where: str, words: Sequence[str]) -> str:
        """What each experiment's own commands do."""
        if list(words) == [inside.UNDO]:
            mended = [f"{_fakes_kernel.SET}{where}", _fakes_neighbours.LIFTED, _fakes_inside.CONTAINER]
            self.step("mend", drop=mended)
            return ""
        said = _fakes_neighbours.does(self, where, words)
        if said is None:
            said = _fakes_surface.does(self, words)
        if said is None:
            said = _fakes_inside.does(self, words)
        if said is None:
            said = _fakes_kernel.does(self, where, words)
        return super().does(where, words) if said is None else said

    def patches(self) -> list[Patch]:
        """What reaches out of this process by other ways than the place."""
        return [
            *super().patches(),
            *_fakes_inside.patches(self),
            *_fakes_kernel.patches(self),
            *_fakes_neighbours.patches(self),
            *_fakes_surface.patches(self),
        ]
