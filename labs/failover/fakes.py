"""What this lab's commands do to it, for the suite: see labkit.measure.testing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from labkit.measure.testing import FakeLab
from labs.failover import place


class Fake(FakeLab):
    """All that the experiments run only looks; a command that is not here counts as one that changes the lab."""

    ONLY_LOOKS: ClassVar[Mapping[tuple[str, ...], str]] = {place.BOOT_ID: "a\n"}
