"""up and down, or a part of them, ended at an event of the engines: the next command works, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.engines.apart.kills import END_S, Kill, Site, collect, event, no_orphans, strike
from tests.engines.real import LAB, ROOT, command

pytestmark = pytest.mark.engine

VM, BOX = "vm", "container"

Victims = list[tuple[str, str]]

# Event, sides, what is killed at it while `up` runs: in every `./lab test`, and with --long too.
# A server that dies before it is healthy is waited for until the provider's bound, 90 s: that is for --long.
UPS: list[tuple[str, str, Victims, Victims]] = [
    ("server created", BOX, [("lab", "KILL"), ("docker plugin", "KILL"), ("cli", "KILL")], [("cli", "TERM")]),
    ("server created", BOX, [("language host", "TERM"), ("program", "KILL"), ("language host", "KILL")], []),
    ("server created", BOX, [("lab", "INT")], [("program", "INT")]),
    ("server started", BOX, [], [("server", "TERM"), ("server", "KILL")]),
    ("base half uploaded", VM, [("libvirt plugin", "KILL"), ("lab", "TERM")], [("lab", "KILL")]),
    ("base half uploaded", VM, [("server", "KILL")], [("server", "INT")]),
    ("domain created", VM, [("libvirt plugin", "TERM")], [("cli", "KILL"), ("cli", "INT"), ("libvirt plugin", "KILL")]),
    ("task running", VM, [("worker", "KILL"), ("provider", "TERM")], [("worker", "TERM"), ("provider", "KILL")]),
    (
        "task running",
        VM,
        [("server", "TERM")],
        [("lab", "KILL"), ("server", "KILL"), ("lab", "INT")],
    ),
]

# The same while `down` runs.
DOWNS: list[tuple[str, str, Victims, Victims]] = [
    ("server stopping", BOX, [("cli", "KILL"), ("lab", "INT")], [("docker plugin", "KILL"), ("lab", "TERM")]),
    ("server gone", BOX, [("lab", "KILL")], [("cli", "INT")]),
]

# The same while `up` replaces something, by the other value of a key: what was deleted is noted as such, what stands
# in its place is not noted yet. The lab stays up from one of these to the next.
REPLACEMENTS: list[tuple[str, str, str, Victims, Victims]] = [
    ("container again", BOX, "service_version", [("cli", "KILL")], [("docker plugin", "KILL")]),
    ("container gone", BOX, "service_version", [("lab", "KILL")], []),
    ("server created", BOX, "subnet", [("cli", "KILL"), ("docker plugin", "KILL")], []),
    ("server gone", BOX, "subnet", [], [("cli", "KILL")]),
    ("server created", VM, "subnet", [], [("lab", "KILL")]),
    ("domain again", VM, "vcpus", [("cli", "KILL")], [("libvirt plugin", "KILL")]),
    ("disk again", VM, "disk_gib", [], [("cli", "KILL")]),
]

THEN_DOWN = {("server created", "docker plugin"), ("disk again", "cli")}
"""After these kills of a replacement it is `down` that must work, after the others `up`. With --long both."""

THEN_UP = {"lab-KILL", "libvirt plugin-KILL", "cli-KILL"}
"""After these kills of `up` it is `up` that must work, then `down`; after the others `down`. With --long both."""


def rows(command_: str, table: list[tuple[str, str, Victims, Victims]]) -> list[object]:
    """The table of one command as pytest wants it."""
    return [
        pytest.param(kill, id=str(kill), marks=marks)
        for event_, sides, always, long in table
        for victims, marks in ((always, []), (long, [pytest.mark.long]))
        for victim, sign in victims
        for kill in [Kill(command_, victim, sign, event_, sides)]
    ]


def replaced() -> list[object]:
    """The table of the replacements as pytest wants it."""
    return [
        pytest.param(kill, id=f"{kill}-{key}-{sides}", marks=marks)
        for event_, sides, key, always, long in REPLACEMENTS
        for victims, marks in ((always, []), (long, [pytest.mark.long]))
        for victim, sign in victims
        for kill in [Kill("up", victim, sign, event_, sides, key)]
    ]


def test_half_of_the_combinations_run_always() -> None:
    """The other half is for --long."""
    lines = [*UPS, *DOWNS, *REPLACEMENTS]
    assert sum(len(always) for *_, always, _ in lines) == sum(len(long) for *_, long in lines)


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


def ended_by(site: Site, kill: Kill) -> None:
    """Start the command, strike at the event, and look that all of it ends."""
    with event(site, kill.event) as wait, site.start(kill.command, LAB) as lab:
        try:
            wait()
            strike(site, kill, lab)
        finally:
            told, ended = collect(lab, END_S)
    assert ended, f"it does not end:\n{told[-5000:]}"
    assert lab.returncode != 0, f"it was not ended:\n{told[-5000:]}"
    no_orphans(site)


def goes_down(site: Site) -> None:
    """Down works and says so, leftovers finds nothing of ours, and no program is left."""
    assert "nothing of it is left" in site.tool("down", LAB).stdout
    site.tool("leftovers", LAB)
    no_orphans(site)


@pytest.mark.parametrize("kill", rows("up", UPS))
def test_after_a_killed_up_the_next_command_works(site: Site, kill: Kill, request: pytest.FixtureRequest) -> None:
    """`up` to every replica's answer, and `down`."""
    site.set(kill.sides)
    with no_burden(site):
        ended_by(site, kill)
        if is_long(request) or f"{kill.victim}-{kill.signal}" in THEN_UP:
            site.tool("up", LAB)
        goes_down(site)


@pytest.mark.parametrize("kill", rows("down", DOWNS))
def test_after_a_killed_down_the_next_command_works(site: Site, kill: Kill, request: pytest.FixtureRequest) -> None:
    """`down`; with --long `up` before it."""
    site.set(kill.sides)
    site.tool("up", LAB)
    with no_burden(site):
        ended_by(site, kill)
        if is_long(request):
            site.tool("up", LAB)
        goes_down(site)


@pytest.mark.parametrize("kill", replaced())
def test_after_a_killed_replacement_the_next_command_works(
    site: Site, kill: Kill, request: pytest.FixtureRequest
) -> None:
    """`up` to every replica's answer, or `down`: nothing of the old, the new and the half is in its way."""
    site.set(kill.sides)
    with no_burden(site):
        site.tool("up", LAB)
        site.change(kill.changes)
        ended_by(site, kill)
        down = (kill.event, kill.victim) in THEN_DOWN
        if is_long(request) or not down:
            site.tool("up", LAB)
        if is_long(request) or down:
            goes_down(site)


def is_long(request: pytest.FixtureRequest) -> bool:
    """Whether this is a run of `./lab test --long`, which selects nothing."""
    return not request.config.getoption("markexpr")
