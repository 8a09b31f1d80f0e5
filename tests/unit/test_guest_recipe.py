"""The guest's recipe: what a mistake in would only show in a guest that does not boot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

RECIPE = Path(__file__).resolve().parents[2] / "images" / "guest"
UNITS = RECIPE / "files" / "etc" / "systemd" / "system"
SCRIPTS = [
    *(RECIPE / name for name in ("assemble.sh", "init", "kernel.sh", "tune.sh")),
    *(RECIPE / "files" / "usr" / "local" / "sbin").iterdir(),
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_valid_posix_shell(script: Path) -> None:
    checked = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False, encoding="utf-8")
    assert checked.returncode == 0, checked.stderr


def test_each_module_that_the_initrd_loads_is_packed_into_it() -> None:
    def words(file: str, start: str, end: str) -> set[str]:
        text = (RECIPE / file).read_text(encoding="utf-8").replace("\\\n", " ")
        line = next(line for line in text.splitlines() if line.strip().startswith(start))
        return {word.replace("-", "_") for word in line.strip().removeprefix(start).removesuffix(end).split()}

    assert words("init", "modprobe -a ", "||") <= words("assemble.sh", "for module in ", "; do")


def test_each_of_our_units_is_enabled() -> None:
    ours = {unit.name for unit in UNITS.glob("vvc-*.service")}
    enabled = next(
        line
        for line in (RECIPE / "tune.sh").read_text(encoding="utf-8").splitlines()
        if line.startswith("systemctl enable")
    )
    assert ours <= set(enabled.split())


@pytest.mark.parametrize("unit", sorted(UNITS.glob("vvc-*.service")), ids=lambda path: path.name)
def test_our_units_start_without_waiting_for_targets(unit: Path) -> None:
    assert "DefaultDependencies=no" in unit.read_text(encoding="utf-8")
