"""The pages' figures are those of the benches' JSON files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import common, tables
from labkit.system import stack_files

BEGIN, END = tables.marks("up")
ROOT = Path(__file__).parents[2]
RESULT = {
    "machine": {"cpus": 2, "cpu": "A CPU", "accelerator": "tcg", "kernel": "6.1", "engine": "20.10"},
    "figures": [{"name": "down", "aim": 8.0, "n": 3, "median": 5.04, "min": 4.0, "max": 6.0, "repeats": [5.04, 4, 6]}],
    "cold_setup_s": {"Server image": 61.2},
}


def test_a_figure_is_a_row_with_median_spread_n_and_aim() -> None:
    """Worked example."""
    assert "| down | 5.0 | 4.0 to 6.0 | 3 | 8 |" in tables.table(RESULT, "up")
    assert "| Server image | 61 |" in tables.table(RESULT, "up")


def test_the_block_is_replaced_and_nothing_else() -> None:
    """A README without the block is refused."""
    before = f"a\n{BEGIN}\nold\n{END}\nb\n"
    after = tables.into(before, RESULT, "up")
    assert after.startswith("a\n")
    assert after.endswith("\nb\n")
    assert "old" not in after
    assert tables.into(after, RESULT, "up") == after
    with pytest.raises(ValueError, match=r"has no block"):
        tables.into("a", RESULT, "up")


GUIDE = {
    **RESULT,
    "figures": [
        {"name": name, "n": 3, "median": 30.0, "min": 29.0, "max": 90.0}
        for name in ("step 1: Bring up", "section Bring up", tables.ALL)
    ],
}


def test_a_guide_is_told_by_section_with_the_machine() -> None:
    """Its steps stay in the json; a section and all of them are rows."""
    begin, end = tables.marks("guide")
    page = tables.into(f"a\n{begin}\n{end}\nb\n", GUIDE, "guide")
    assert page == (
        f"a\n{begin}\n"
        "Measured by `./lab bench guide` on 2 cores (A CPU), accelerator tcg, kernel 6.1, Docker Engine 20.10, "
        "caches warm.\n\n"
        "| part (section) | commands take, median (least to most) | n |\n|---|---:|---:|\n"
        "| Bring up | 30.0 s (29.0 to 90.0) | 3 |\n"
        "| all commands of the guide | 30.0 s (29.0 to 90.0) | 3 |\n"
        f"{end}\nb\n"
    )


PAGES = [
    pytest.param(what, lab if "{lab}" in page else "", id=f"{what} {lab}")
    for what, page in tables.PAGES.items()
    for lab in stack_files.names()
]


@pytest.mark.parametrize(("what", "lab"), PAGES)
def test_the_page_says_what_was_measured(what: str, lab: str) -> None:
    """Nobody typed a figure in by hand; what has not been measured has an empty block."""
    page = (ROOT / tables.PAGES[what].format(lab=lab)).read_text(encoding="utf-8")
    file = common.file(what, lab)
    if file.exists():
        assert tables.into(page, json.loads(file.read_text(encoding="utf-8")), what) == page
    else:
        assert "\n".join(tables.marks(what)) in page
