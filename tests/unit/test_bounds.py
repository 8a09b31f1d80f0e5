"""The bounds of waits: each has a variable of its own, and only a whole number above 0 counts."""

from __future__ import annotations

import pytest

from infra import bounds
from infra.bounds import Bound

ALL = [value for value in vars(bounds).values() if isinstance(value, Bound)]


@pytest.mark.parametrize(
    ("text", "given"),
    [(None, None), ("", None), ("0", None), ("-3", None), ("1.5", None), ("soon", None), ("7", 7), ("1800", 1800)],
)
def test_only_a_whole_number_above_0_counts(
    text: str | None, given: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anything else leaves the default."""
    bound = Bound("VVC_TEST_TIMEOUT_S", 5, "a test")
    if text is None:
        monkeypatch.delenv(bound.variable, raising=False)
    else:
        monkeypatch.setenv(bound.variable, text)
    assert bound.given == given
    assert bound.seconds == (given or 5)


def test_no_two_bounds_share_a_variable() -> None:
    """Setting one leaves the others."""
    assert len({bound.variable for bound in ALL}) == len(ALL) == 7
    assert set(bounds.ALL) == set(ALL)
    assert all(bound.variable.startswith("VVC_") and bound.variable.endswith("_TIMEOUT_S") for bound in ALL)
