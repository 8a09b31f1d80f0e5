"""`./lab bench report` makes its page in a process of its own, by the commands' own functions."""

from __future__ import annotations

import pytest

from bench import report
from labkit.system import stack_files
from labkit.system.progress import Quiet


@pytest.mark.slow
def test_a_made_up_run_becomes_a_page() -> None:
    """Of any lab, with all figures that have an aim."""
    made = report.run({"cpu": "A CPU", "cpus": 2, "accelerator": "tcg"}, stack_files.example(), 1, Quiet(), 1600)
    found = {figure["name"]: figure["median"] for figure in made["figures"]}
    assert set(report.AIMS) <= set(found)
    assert 0 < found["page_bytes"] < report.AIMS["page_bytes"]
