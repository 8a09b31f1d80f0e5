"""A third side is a row, a module and a class: added to a copy of the checkout, it is brought up, measured, reported.

It is a toy: a plain process of the service in the server, with what `toy_side/` holds and a word of the service's.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.apart.kills import Site
from tests.engines.real import LAB, ROOT, command
from tests.engines.test_life import traces

pytestmark = [pytest.mark.engine, pytest.mark.long]

SIDE = "toy"
FILES = Path(__file__).parent / "toy_side"
CONTAINERS = '        SideKind("container", "container", "containers", shares_kernel=True),\n'
ROW = '        SideKind("toy", "process", "processes", shares_kernel=True, port=8101),\n'
SERVICE = 'SIDES = ("vm", "container")\n'


def add(checkout: Path) -> None:
    """The row, the module, the class; and the service is told that there is such a side."""
    rows, settings = checkout / "infra" / "sides.py", checkout / "service" / "settings.py"
    for file, before, after in (
        (rows, CONTAINERS, CONTAINERS + ROW),
        (settings, SERVICE, SERVICE.replace(")", f', "{SIDE}")')),
    ):
        text = file.read_text(encoding="utf-8")
        assert text.count(before) == 1
        file.write_text(text.replace(before, after), encoding="utf-8")
    shutil.copy(FILES / "stack.py", checkout / "infra" / "stacks" / f"{SIDE}.py")
    shutil.copy(FILES / "side.py", checkout / "labkit" / "sides" / f"{SIDE}.py")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A checkout with the toy side, its lab up on all three; down at the end."""
    checkout = tmp_path / "checkout"
    command(["git", "clone", "-q", str(ROOT), str(checkout)])
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    add(checkout)
    site = Site(checkout)
    site.tool("setup", "--yes")
    site.set(f"vm,container,{SIDE}")
    try:
        site.tool("up", LAB)
        yield site
    finally:
        site.tool("down", LAB, check=False)


def told(site: Site, *words: str) -> Any:
    """What a command says with --json; other lines of the launcher may come before it."""
    text = site.tool(*words, "--json").stdout
    return json.loads(text[text.index("{") :])


def test_a_third_side_is_measured_beside_the_other_two(site: Site) -> None:
    """It is up, one can go in, `up` changes nothing, *start* has its repeats and its stages, the report its line."""
    replicas = {one["name"]: one for one in told(site, "status", LAB)[LAB]["replicas"]}
    assert set(replicas) == {"vm-1", "container-1", f"{SIDE}-1"}
    assert "Python 3" in site.tool("exec", f"{SIDE}-1", "python3", "--version").stdout
    again = site.tool("up", LAB).stdout
    assert not any(word in again for word in (" created", " replaced", " updated", " deleted")), again

    report = site.tool("run", LAB, "start", "--quick").stdout
    repeats = [one for one in _run(site)["experiments"][0]["repeats"] if one["experiment"] == "start"]
    assert {(one["side"], one["action"]) for one in repeats} == {
        *((side, action) for side in ("vm", "container", SIDE) for action in ("deploy", "start")),
        *((side, "restore") for side in ("vm", "container")),
    }
    assert [one["problem"] for one in repeats if one.get("problem")] == []
    own = [one for one in repeats if one["side"] == SIDE]
    assert all(one["values"]["ready_s"] > 0 and len(one["stages"]) > 1 for one in own)
    assert all(one["conditions"]["boot_id"] == one["conditions"]["server_boot_id"] for one in own)
    assert "\n  process " in report
    assert f'"{SIDE}"' in json.dumps(told(site, "report", LAB))

    site.tool("down", LAB)
    assert traces(site.checkout) == {}


def _run(site: Site) -> dict[str, Any]:
    (file,) = (site.checkout / "runs" / LAB).glob("*/run.json")
    found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["run"]
    return found
