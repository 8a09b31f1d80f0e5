"""A lab's steady state: what a server tells of itself is asked until it has looked once more."""

from __future__ import annotations

from typing import Any

import pytest

from labkit.lifecycle import steady


class Server:
    """Tells one health after the other; the last one again and again."""

    def __init__(self, status: str, *health: str) -> None:
        self.status, self._health, self.asked = status, list(health), 0

    @property
    def attrs(self) -> dict[str, Any]:
        """As the engine has them."""
        return {"State": {"Health": {"Status": self._health[0]}}}

    def reload(self) -> None:
        """Ask the engine again."""
        self.asked += 1
        if self.asked > 1 and len(self._health) > 1:
            self._health.pop(0)


def test_a_server_that_was_put_right_a_moment_ago_is_well() -> None:
    """Its last look at itself was before that."""
    assert steady._health(Server("running", "unhealthy", "unhealthy", "healthy")) == "healthy"


def test_one_that_stays_unwell_is_told_at_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that has ended is not waited for."""
    ended = Server("exited", "unhealthy")
    assert (steady._health(ended), ended.asked) == ("unhealthy", 2)
    monkeypatch.setattr(steady, "_LOOKS_WITHIN_S", 0.1)
    assert steady._health(Server("running", "unhealthy")) == "unhealthy"
