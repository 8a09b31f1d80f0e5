"""What this lab's commands do to it, for the suite: see labkit.measure.testing."""

from __future__ import annotations

from infra.paths import KINDS
from labkit.measure.testing import FakeLab


class Fake(FakeLab):
    """A command that is not here counts as one that changes the lab."""

    PATHS = tuple(KINDS)
