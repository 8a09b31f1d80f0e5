"""What this lab's commands do to it, for the suite: see labkit.measure.testing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from infra.outputs import Contract, Replica
from labkit.measure.testing import FakeLab, Patch
from labs.networking import _fakes_loads as of_loads
from labs.networking.arms import ARMS


class Fake(FakeLab):
    """A command that is not here counts as one that changes the lab."""

    @property
    def contract(self) -> Contract:
        """A replica along each path."""
        replicas = [
            Replica(name, arm.side, "server-1", f"http://{name}:8000", name, path)
            for path, arm in ARMS.items()
            for name in [f"{arm.side}-{path}"]
        ]
        return replace(super().contract, replicas=tuple(replicas))

    def does(self, where: str, words: Sequence[str]) -> str:
        """What each experiment's own commands do."""
        said = of_loads.does(self, words)
        return super().does(where, words) if said is None else said

    def patches(self) -> list[Patch]:
        """And what they call by other ways."""
        return [*super().patches(), *of_loads.patches(self)]
