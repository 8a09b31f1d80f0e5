"""./lab bench: figures are derived from their repeats, and a figure costs nobody else's lab."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labkit import bench_recover, clean
from labkit.bench import Figure
from labkit.errors import LabError
from labkit.progress import Quiet


def test_a_figure_keeps_its_repeats() -> None:
    """Median and spread come from them."""
    figure = Figure("down", 8.0, [5.004, 9.0, 4.0])
    assert figure.summary() == {
        "name": "down",
        "aim_s": 8.0,
        "n": 3,
        "median_s": 5.0,
        "min_s": 4.0,
        "max_s": 9.0,
        "repeats_s": [5.0, 9.0, 4.0],
    }


@pytest.mark.parametrize(
    ("private", "elsewhere", "told"),
    [(True, {"ffffffff": []}, "(ffffffff)"), (False, {}, "(none)"), (True, {}, "")],
)
def test_the_engine_is_stopped_only_where_nobody_else_has_a_lab_on_it(
    monkeypatch: pytest.MonkeyPatch, private: bool, elsewhere: dict[str, Any], told: str
) -> None:
    """And only the private one."""
    monkeypatch.setattr(clean, "elsewhere", lambda _: elsewhere)
    ready: Any = SimpleNamespace(engine=SimpleNamespace(private=private))
    if not told:
        bench_recover.Recover(ready, Quiet(), engine_too=True)
        return
    with pytest.raises(LabError) as refused:
        bench_recover.Recover(ready, Quiet(), engine_too=True)
    assert told in refused.value.problem
    assert refused.value.hint == "./lab bench recover, without --engine"
