"""The README's figures are those of bench/*.json."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labkit import figures

BEGIN, END = figures.marks("up")
ROOT = Path(__file__).parents[2]
RESULT = {
    "machine": {"cpus": 2, "cpu": "A CPU", "accelerator": "tcg", "kernel": "6.1", "engine": "20.10"},
    "figures": [
        {"name": "down", "aim_s": 8.0, "n": 3, "median_s": 5.04, "min_s": 4.0, "max_s": 6.0, "repeats_s": [5.04, 4, 6]}
    ],
    "cold_setup_s": {"Server image": 61.2},
}


def test_a_figure_is_a_row_with_median_spread_n_and_aim() -> None:
    """Worked example."""
    assert "| down | 5.0 | 4.0 to 6.0 | 3 | 8 |" in figures.table(RESULT, "up")
    assert "| Server image | 61 |" in figures.table(RESULT, "up")


def test_the_block_is_replaced_and_nothing_else() -> None:
    """A README without the block is refused."""
    before = f"a\n{BEGIN}\nold\n{END}\nb\n"
    after = figures.into(before, RESULT, "up")
    assert after.startswith("a\n")
    assert after.endswith("\nb\n")
    assert "old" not in after
    assert figures.into(after, RESULT, "up") == after
    with pytest.raises(ValueError, match=r"has no block"):
        figures.into("a", RESULT, "up")


@pytest.mark.parametrize("what", ["up", "recover"])
def test_the_readme_says_what_was_measured(what: str) -> None:
    """Nobody typed a figure in by hand; what has not been measured has an empty block."""
    readme = (ROOT / "README.md").read_text()
    file = ROOT / "bench" / f"{what}.json"
    if file.exists():
        assert figures.into(readme, json.loads(file.read_text()), what) == readme
    else:
        assert "\n".join(figures.marks(what)) in readme
