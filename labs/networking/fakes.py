"""What this lab's commands do to it, for the suite: see labkit.measure.testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from infra.paths import KINDS
from labkit.measure.testing import FakeLab, Patch
from labs.networking import _fakes_adapters, _fakes_loads, _fakes_path, _fakes_rules


class Fake(FakeLab):
    """It has a replica of each path. A command that is not here counts as one that changes the lab."""

    PATHS = tuple(KINDS)
    ONLY_LOOKS: ClassVar[Mapping[tuple[str, ...], str]] = {**_fakes_path.ONLY_LOOKS}

    def does(self, where: str, words: Sequence[str]) -> str:
        """What each experiment's own commands do."""
        said = _fakes_adapters.does(self, words)
        if said is None:
            said = _fakes_loads.does(self, words)
        if said is None:
            said = _fakes_rules.does(self, where, words)
        return super().does(where, words) if said is None else said

    def patches(self) -> list[Patch]:
        """What reaches out of this process by other ways than the place."""
        return [
            *super().patches(),
            *_fakes_adapters.patches(),
            *_fakes_loads.patches(self),
            *_fakes_path.patches(self),
            *_fakes_rules.patches(self),
        ]
