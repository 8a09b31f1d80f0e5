"""The how-to of a lab of one's own on the real engines, in a copy: up, measured, reported, its guide filled, down."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.howtos import Fence, copy, execute, fences

pytestmark = [pytest.mark.engine, pytest.mark.long, pytest.mark.timeout(2400)]


def lab(checkout: Path, *words: str, check: bool = True) -> str:
    """./lab in the copy."""
    return subprocess.run(
        ["./lab", *words], cwd=checkout, capture_output=True, text=True, encoding="utf-8", timeout=600, check=check
    ).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    """A copy of this checkout; whatever is up in it is taken down."""
    made = tmp_path / "checkout"
    copy(made)
    try:
        yield made
    finally:
        lab(made, "clean", "--yes", check=False)


def test_the_page_says_what_works(checkout: Path) -> None:
    """Each fence in its order, beside the first lab that is up as well; executed == fences, and nothing is left."""
    others = sorted(file.name.split(".")[1] for file in checkout.glob("Pulumi.*.yaml"))
    executed: list[Fence] = []
    for fence in fences("own-lab"):
        if "lab run demo" in fence.text:
            lab(checkout, "up", others[0], "--yes")
            lab(checkout, "status", others[0])
        execute(fence, checkout, within_s=600)
        executed.append(fence)
        if "--figures" in fence.text:
            _shown(checkout)
            execute(Fence("", ".venv/bin/python -m pytest -q tests/guides/test_structure.py"), checkout, within_s=300)
    assert executed == fences("own-lab")
    lab(checkout, "leftovers", "demo")
    lab(checkout, "status", others[0])
    lab(checkout, "down", others[0])
    assert (checkout / "Pulumi.demo.yaml").read_text(encoding="utf-8") == (
        checkout / "labkit/commands/skeleton/Pulumi.yaml.in"
    ).read_text(encoding="utf-8")


def _shown(checkout: Path) -> None:
    """Both claims of the new lab hold here, and its guide says so, its own table included."""
    report = json.loads(lab(checkout, "report", "demo", "--json"))
    parts = {part["claim"]: part["verdict"] for row in report["rows"] for part in row["parts"]}
    assert parts == {"own-kernel": "holds", "more-processes": "holds"}
    guide = (checkout / "labs/demo/README.md").read_text(encoding="utf-8")
    assert "There are more processes in a VM than in a container. | VM" in guide
    assert "| side | boot id inside | boot id of its server |" in guide
