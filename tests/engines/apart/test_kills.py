"""up and down, or a part of them, ended at an event of the engines: the next command works, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.engines.apart.kills import BOTH, DOWN, UP, Kill, Site, ended_by, works
from tests.engines.real import LAB, ROOT, command

pytestmark = pytest.mark.engine

VM, BOX = "vm", "container"

Victims = list[tuple[str, str, str]]
"""Who is ended, by which signal, and the commands that must work after it."""

# Event, sides, what is ended at it while `up` runs: first what every `./lab test` shows, one or two in each phase, then
# what is for --long. A server that dies before it is healthy is waited for until the provider's bound, 90 s.
UPS: list[tuple[str, str, Victims, Victims]] = [
    (
        "server created",
        BOX,
        [("lab", "KILL", BOTH), ("docker plugin", "KILL", DOWN), ("lab", "INT", DOWN)],
        [("cli", "KILL", BOTH), ("cli", "TERM", BOTH), ("docker plugin", "KILL", BOTH), ("lab", "INT", BOTH)],
    ),
    ("server created", BOX, [], [("language host", "TERM", DOWN), ("language host", "TERM", BOTH)]),
    ("server created", BOX, [], [("language host", "KILL", DOWN), ("language host", "KILL", BOTH)]),
    ("server created", BOX, [], [("program", "KILL", DOWN), ("program", "KILL", BOTH), ("program", "INT", BOTH)]),
    ("server started", BOX, [], [("server", "TERM", BOTH), ("server", "KILL", BOTH)]),
    ("base half uploaded", VM, [("libvirt plugin", "KILL", BOTH)], [("lab", "KILL", BOTH)]),
    ("base half uploaded", VM, [], [("lab", "TERM", DOWN), ("lab", "TERM", BOTH)]),
    ("base half uploaded", VM, [], [("server", "KILL", DOWN), ("server", "KILL", BOTH), ("server", "INT", BOTH)]),
    ("domain created", VM, [], [("libvirt plugin", "TERM", DOWN), ("libvirt plugin", "TERM", BOTH)]),
    ("domain created", VM, [], [("libvirt plugin", "KILL", BOTH), ("cli", "KILL", BOTH), ("cli", "INT", BOTH)]),
    ("task running", VM, [("worker", "KILL", DOWN)], [("worker", "KILL", BOTH), ("worker", "TERM", BOTH)]),
    ("task running", VM, [], [("provider", "TERM", DOWN), ("provider", "TERM", BOTH), ("provider", "KILL", BOTH)]),
    ("task running", VM, [], [("server", "TERM", DOWN), ("server", "TERM", BOTH), ("server", "KILL", BOTH)]),
    ("task running", VM, [], [("lab", "KILL", BOTH), ("lab", "INT", BOTH)]),
]

# The same while `down` runs.
DOWNS: list[tuple[str, str, Victims, Victims]] = [
    ("server stopping", BOX, [("cli", "KILL", DOWN)], [("cli", "KILL", BOTH), ("docker plugin", "KILL", BOTH)]),
    ("server stopping", BOX, [], [("lab", "INT", DOWN), ("lab", "INT", BOTH), ("lab", "TERM", BOTH)]),
    ("server gone", BOX, [("lab", "KILL", DOWN)], [("lab", "KILL", BOTH), ("cli", "INT", BOTH)]),
]

# The same while `up` replaces something, by the other value of a key: what was deleted is noted as such, what stands
# in its place is not noted yet. The lab stays up from one of these to the next.
REPLACEMENTS: list[tuple[str, str, str, Victims, Victims]] = [
    ("container again", BOX, "service_version", [], [("cli", "KILL", BOTH), ("docker plugin", "KILL", BOTH)]),
    ("container gone", BOX, "service_version", [("lab", "KILL", UP)], []),
    ("server created", BOX, "subnet", [("cli", "KILL", DOWN)], [("cli", "KILL", BOTH)]),
    ("server created", BOX, "subnet", [], [("docker plugin", "KILL", DOWN), ("docker plugin", "KILL", BOTH)]),
    ("server gone", BOX, "subnet", [], [("cli", "KILL", BOTH)]),
    ("server created", VM, "subnet", [], [("lab", "KILL", BOTH)]),
    ("domain again", VM, "vcpus", [], [("cli", "KILL", BOTH), ("libvirt plugin", "KILL", BOTH)]),
    ("disk again", VM, "disk_gib", [], [("cli", "KILL", DOWN), ("cli", "KILL", BOTH)]),
]


def rows(command_: str, table: list[tuple[str, str, str, Victims, Victims]]) -> list[object]:
    """The table of one command as pytest wants it."""
    return [
        pytest.param(kill, id=str(kill), marks=marks)
        for event_, sides, key, always, long in table
        for victims, marks in ((always, []), (long, [pytest.mark.long]))
        for victim, sign, then in victims
        for kill in [Kill(command_, victim, sign, event_, then, sides, key)]
    ]


def without_change(
    table: list[tuple[str, str, Victims, Victims]],
) -> list[tuple[str, str, str, Victims, Victims]]:
    """The same rows, with no key that changes."""
    return [(event_, sides, "", always, long) for event_, sides, always, long in table]


def test_a_kill_in_each_phase_runs_always() -> None:
    """Server made, server filled, playbook, `down`, replacement of a replica and of a server."""
    lines = [*without_change(UPS), *without_change(DOWNS), *REPLACEMENTS]
    always = {(event_, key) for event_, _, key, victims, _ in lines if any(sign == "KILL" for _, sign, _ in victims)}
    assert always == {
        ("server created", ""),
        ("base half uploaded", ""),
        ("task running", ""),
        ("server stopping", ""),
        ("server gone", ""),
        ("container gone", "service_version"),
        ("server created", "subnet"),
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A checkout beside ours; its lab is down at the end."""
    checkout = tmp_path_factory.mktemp("kills") / "checkout"
    command(["git", "clone", "-q", str(ROOT), str(checkout)])
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    site = Site(checkout)
    site.tool("setup", "--yes")
    try:
        yield site
    finally:
        site.tool("down", LAB)


@contextmanager
def no_burden(site: Site) -> Iterator[None]:
    """What a test that fails leaves is no burden for the next one."""
    try:
        yield
    except BaseException:
        site.tool("down", LAB, check=False)
        raise


@pytest.mark.parametrize("kill", rows("up", without_change(UPS)))
def test_after_a_killed_up_the_next_command_works(site: Site, kill: Kill) -> None:
    """From nothing."""
    site.set(kill.sides)
    with no_burden(site):
        ended_by(site, kill)
        works(site, kill.then)


@pytest.mark.parametrize("kill", rows("down", without_change(DOWNS)))
def test_after_a_killed_down_the_next_command_works(site: Site, kill: Kill) -> None:
    """Of a lab that was up."""
    site.set(kill.sides)
    site.tool("up", LAB)
    with no_burden(site):
        ended_by(site, kill)
        works(site, kill.then)


@pytest.mark.parametrize("kill", rows("up", REPLACEMENTS))
def test_after_a_killed_replacement_the_next_command_works(site: Site, kill: Kill) -> None:
    """Nothing of the old, the new and the half is in its way."""
    site.set(kill.sides)
    with no_burden(site):
        site.tool("up", LAB)
        site.change(kill.changes)
        ended_by(site, kill)
        works(site, kill.then)
