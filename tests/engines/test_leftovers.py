"""Leftovers and clean: ours is named with a removal that works when pasted; look-alikes beside it stay untouched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from infra import outputs, plan
from labkit.lifecycle import clean
from labkit.setup.docker import engine as engines
from labkit.system.paths import CHECKOUT_ID
from labkit.system.progress import Quiet
from labkit.system.waiting import until
from tests.engines.real import LAB, ROOT, SHORT_S, command, engine, tool

pytestmark = pytest.mark.engine

CHECKOUT = CHECKOUT_ID
FOREIGN = "deadbeef"
"""Another checkout's id."""

BRIDGE = plan.bridge_name(CHECKOUT, LAB)
ALIKE = {"bridge": BRIDGE[:-2] + "zz", "veth": BRIDGE[:-2] + "yy", "peer": BRIDGE[:-2] + "yx"}
NAME = plan.Plan(CHECKOUT, LAB, plan.default_subnet(CHECKOUT, LAB)).name
NEARLY = {NAME("server-2"), f"{NAME('server-1')}2", NAME("server-1-data")}
BACKEND = f"file://{quote(str(ROOT / '.state' / 'pulumi'))}"


def labels(checkout: str = CHECKOUT, lab: str = LAB) -> list[str]:
    return ["--label", f"{plan.CHECKOUT_LABEL}={checkout}", "--label", f"{plan.LAB_LABEL}={lab}"]


def sleeper(name: str, *words: str) -> None:
    """A container that does nothing, from an image that is there."""
    image = json.loads((ROOT / ".state/machine.json").read_text(encoding="utf-8"))["server_image"]
    engine("run", "-d", "--name", name, "--network", "none", "--entrypoint", "sleep", *words, image, "900")


def process(name: str, backend: str) -> int:
    """A process of that name whose starter is gone; its id."""
    script = f"exec -a {name} sleep 900 >/dev/null 2>&1 & echo $!"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PULUMI_BACKEND_URL": backend},
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
        encoding="utf-8",
    )
    return int(done.stdout)


def running(pid: int) -> bool:
    """A zombie that nobody has reaped yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def look_alikes() -> Iterator[list[int]]:
    """Everything that is nearly ours; the ids of the processes."""
    pids = []
    try:
        sleeper(NAME("server-2"), *labels()[:2])
        sleeper(f"{NAME('server-1')}2", *labels()[2:])
        sleeper(f"vvc-{FOREIGN}-{LAB}-server-1", *labels(FOREIGN))
        engine("network", "create", "--internal", f"vvc-{FOREIGN}-{LAB}-lan", *labels(FOREIGN))
        engine("volume", "create", f"vvc-{FOREIGN}-{LAB}-data", *labels(FOREIGN))
        engine("volume", "create", NAME("server-1-data"), *labels()[:2])
        command(["ip", "link", "add", ALIKE["bridge"], "type", "bridge"])
        command(["ip", "link", "add", ALIKE["veth"], "type", "veth", "peer", ALIKE["peer"]])
        pids += [process("pulumi-resource-alike", BACKEND + "2"), process("person", BACKEND)]
        yield pids
    finally:
        for pid in pids:
            if running(pid):
                os.kill(pid, 9)
        for link in (ALIKE["bridge"], ALIKE["veth"]):
            command(["ip", "link", "del", link], check=False)
        containers = (NAME("server-2"), f"{NAME('server-1')}2", f"vvc-{FOREIGN}-{LAB}-server-1")
        engine("rm", "-f", "-v", *containers, check=False)
        engine("network", "rm", f"vvc-{FOREIGN}-{LAB}-lan", check=False)
        engine("volume", "rm", f"vvc-{FOREIGN}-{LAB}-data", NAME("server-1-data"), check=False)


def there(pids: list[int]) -> set[str]:
    """Which look-alikes live."""
    found = set(engine("ps", "--format", "{{.Names}}").split())
    found |= set(engine("network", "ls", "--format", "{{.Name}}").split())
    found |= set(engine("volume", "ls", "--format", "{{.Name}}").split())
    found |= {path.name for path in Path("/sys/class/net").iterdir()} | {str(pid) for pid in pids if running(pid)}
    exact = {*NEARLY, *ALIKE.values(), *map(str, pids)}
    return {name for name in found if name in exact or FOREIGN in name}


def leftovers(status: int) -> dict[str, Any]:
    """What `./lab leftovers` says of the lab, with that exit status."""
    done = tool("leftovers", LAB, "--json", check=False)
    assert done.returncode == status, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


def in_engine() -> list[str]:
    """Objects with both labels."""
    both = [word for label in labels()[1::2] for word in ("--filter", f"label={label}")]
    lists = [("ps", "-a"), ("network", "ls"), ("volume", "ls")]
    return [line for words in lists for line in engine(*words, "-q", *both).split()]


def paste(line: str) -> None:
    """As a person does, in a shell that knows nothing of the engine."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "PULUMI_"))}
    subprocess.run(["sh", "-c", line], env=env, capture_output=True, timeout=SHORT_S, check=True)


def wait_gone(pid: int) -> None:
    """Bounded."""
    assert until(lambda: not running(pid), 60), f"process {pid} runs on"


def test_ours_is_removed_and_look_alikes_stay(lab: outputs.Contract, look_alikes: list[int]) -> None:
    """By leftovers with the lab up, by clean and by down. Nobody needs the lab after that: see tests/lanes.py."""
    alike = there(look_alikes)
    assert len(alike) == 11
    found = leftovers(0)
    assert found["up"] is True
    assert found["ours"] == []
    named = {thing["name"] for thing in found["appeared"]}
    assert named >= {name for name in alike if not name.isdigit()}

    orphan = process("pulumi-resource-orphan", BACKEND)
    sleeper(f"vvc-{CHECKOUT}-by-hand", *labels())
    engine("volume", "create", f"vvc-{CHECKOUT}-by-hand", *labels())
    ours = leftovers(1)["ours"]
    assert {thing["kind"] for thing in ours} == {"process", "container", "volume"}
    text = tool("leftovers", check=False).stdout
    for thing in ours:
        assert f"Remove it: {thing['removal']}" in text
        paste(thing["removal"])
    wait_gone(orphan)
    assert leftovers(0)["ours"] == []

    engine("volume", "create", f"vvc-{CHECKOUT}-by-hand", *labels())
    sleeper(f"vvc-{CHECKOUT}-by-hand", *labels(), "--volume", f"vvc-{CHECKOUT}-by-hand:/data")
    orphan = process("pulumi-resource-orphan", BACKEND)
    assert tool("clean").stdout.endswith("Clean.\n")
    assert in_engine() == []
    assert not Path("/sys/class/net", BRIDGE).exists()
    wait_gone(orphan)
    assert leftovers(0)["up"] is False
    assert there(look_alikes) == alike

    command(["ip", "link", "add", BRIDGE, "type", "bridge"])
    (thing,) = leftovers(1)["ours"]
    assert (thing["kind"], thing["name"]) == ("interface", BRIDGE)
    paste(thing["removal"])
    leftovers(0)
    assert "nothing of it is left" in tool("down", LAB).stdout
    assert there(look_alikes) == alike


def test_another_checkouts_labs_go_only_when_that_is_answered(look_alikes: list[int]) -> None:
    """Its list, and a refusal where nobody can be asked; then exactly its things."""
    alike = there(look_alikes)
    # Not by ./lab clean --everywhere --yes: there may be real labs of other checkouts on this engine.
    found = engines.connect()
    assert found is not None
    things = clean.elsewhere(found)[FOREIGN]
    assert [thing.what for thing in things] == [
        f"container vvc-{FOREIGN}-{LAB}-server-1",
        f"network vvc-{FOREIGN}-{LAB}-lan",
        f"volume vvc-{FOREIGN}-{LAB}-data",
    ]
    assert there(look_alikes) == alike
    assert clean.remove_elsewhere(FOREIGN, things, Quiet()) == []
    assert there(look_alikes) == {name for name in alike if FOREIGN not in name}
