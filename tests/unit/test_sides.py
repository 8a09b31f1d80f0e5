"""What is known of each side, as data: rows, and what each side's class brings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from infra import names, outputs, sides
from infra.plan import MAX_REPLICAS
from labkit.lifecycle import inside, strays
from labkit.lifecycle.inside import There
from labkit.measure import labs
from labkit.sides import SIDES, Side
from labkit.sides.container import PAUSE
from labkit.sides.protocol import Runner
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome
from service import settings as service

ROOT = Path(__file__).parents[2]
EVERY = pytest.mark.parametrize("side", SIDES.values(), ids=list(SIDES))


def test_a_side_is_a_row_a_stack_and_a_class() -> None:
    """In its order; the service takes no other word for the side that it is on."""
    assert tuple(SIDES) == sides.NAMES == tuple(sides.KINDS) == service.SIDES
    assert all(name == row.name for name, row in sides.KINDS.items())
    stacks = {file.stem for file in (ROOT / "infra" / "stacks").glob("[!_]*.py")}
    assert stacks == set(sides.NAMES)


@EVERY
def test_the_first_of_a_sides_objects_is_its_replica(side: Side) -> None:
    """By the name that the program gives it."""
    (name,) = (name for name, one in SIDES.items() if one is side)
    for index in (0, MAX_REPLICAS - 1):
        assert There(side.OBJECTS[0].kind, names.replica(name, index), "x").made_by_up
    assert not There(side.OBJECTS[0].kind, f"{name}-1-next", "x").made_by_up


def test_no_two_sides_call_their_objects_alike() -> None:
    """A kind and Pulumi's type say which one it is; what `up` makes has a way to be removed."""
    objects = [one for side in SIDES.values() for one in side.OBJECTS]
    assert len({one.kind for one in objects}) == len(objects)
    types = [one.type for one in objects if one.type]
    assert len(set(types)) == len(types)
    assert all(bool(one.made) == bool(one.remove) for one in objects)
    assert set(inside.STRAY) <= {one.kind for one in objects}


@EVERY
def test_its_scripts_are_the_shells(side: Side) -> None:
    """Each is read by a shell without running it."""
    scripts = [side.PROCESSES, side.DISK, *(text for one in side.OBJECTS for text in (one.look, one.remove, one.stray))]
    for script in scripts:
        assert subprocess.run(["sh", "-n", "-c", script], check=False, timeout=10).returncode == 0, script


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("vm-1", True),
        ("vm-12.qcow2", True),
        ("container-2-data", True),
        ("container-1-next", True),
        ("vvc-another-kernel", True),
        ("vm-x", False),
        ("my-vm-1", False),
        ("lab", False),
    ],
)
def test_ours_is_told_by_the_name(name: str, ours: bool) -> None:
    """Of replicas, their parts and experiments; of every side."""
    assert bool(names.OURS.fullmatch(name)) is ours
    assert (strays.strays([("container", name)], []) != []) is ours


@pytest.mark.parametrize(
    ("resource", "own"), [("vm-1", True), ("vm-1-disk", True), ("vm-1-playbook", True), ("vm-10", False), ("vm", False)]
)
def test_what_a_replica_alone_needs_is_told_by_the_name(resource: str, own: bool) -> None:
    """Nothing of the tenth is the first one's."""
    assert names.belongs(resource, "vm-1") is own


def test_the_files_that_guests_share_are_known_by_their_names() -> None:
    """With the digest of what they were made from."""
    disks = re.compile(names.guest_disks("vm"))
    assert all(disks.fullmatch(f"{part}-0123456789ab") for part in names.GUEST_FILES)
    assert disks.fullmatch(names.overlay(names.replica("vm", 0)))
    assert not disks.fullmatch("base-mine")


def test_a_side_has_no_turns_of_what_it_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can be started and stopped alone is in *start*, without its restore, and in nothing else."""
    monkeypatch.setitem(SIDES, "toy", cast(Side, SimpleNamespace(SUSPENDED="", PROCESSES="", DISK="")))
    lab = labs.load("deployment")
    turns = {one.name: one.turns(("vm", "container", "toy"), True) for one in lab.experiments}
    assert all({"vm", "container"} <= {turn.side for turn in found} for found in turns.values())
    own = {(name, turn.action) for name, found in turns.items() for turn in found if turn.side == "toy"}
    assert own == {("start", "deploy"), ("start", "start")}


@pytest.fixture
def process() -> Iterator[Callable[..., str]]:
    """Starts a process whose words are those of another program; its id."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *words: str) -> str:
        program = "import sys; print(flush=True); sys.stdin.read()"
        one = subprocess.Popen([name, "-c", program, *words, ""], executable=sys.executable, text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        started.append(one)
        assert one.stdout is not None
        one.stdout.readline()  # it has the words from here on
        return str(one.pid)

    yield start
    for one in started:
        one.communicate()


@pytest.mark.parametrize("addresses", [("192.0.2.2",), ("192.0.2.2", "198.18.1.2"), ("",)], ids=str)
def test_a_containers_proxies_are_those_of_its_addresses(
    addresses: tuple[str, ...], process: Callable[..., str], tmp_path: Path
) -> None:
    """In each network that it has joined; not its neighbours', and none of one that has its server's network."""
    identity = uuid.uuid4().hex

    def proxy(address: str) -> str:
        return process("/usr/sbin/docker-proxy", "-proto", "tcp", "-container-ip", address, "-container-port", "8000")

    shim = process("/usr/bin/containerd-shim-runc-v2", "-namespace", "moby", "-id", identity)
    own = [proxy(address) for address in addresses if address]
    for neighbour in ("192.0.2.1", "192.0.2.20", "192.0.2.22", "198.18.1.21"):
        proxy(neighbour)
    engine = tmp_path / "docker"
    told = "\\n".join(addresses)
    engine.write_text(
        f"""#!/bin/sh
case "$*" in
top*) printf 'PID\n7\n8\n' ;;
*Networks*println*) printf '{told}\n\n' ;;
*Networks*) printf '{"".join(addresses)}\n' ;;
*) echo {identity} ;;
esac
""",
        encoding="utf-8",
    )
    engine.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", SIDES["container"].PROCESSES, "sh", "container-1"], check=True, timeout=20, text=True,
        capture_output=True, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})  # fmt: skip
    roles = [line.split() for line in done.stdout.splitlines() if not line.startswith("daemon")]
    assert roles == [["replica", "7"], ["replica", "8"], ["shim", shim], *(["proxy", pid] for pid in own)]


ANSWERS = {
    "frozen at once": ([""], 0, ""),
    "frozen when it is tried again": (
        ["OCI runtime pause failed: unable to freeze: unknown", "is already paused", ""],
        0,
        "",
    ),
    "not there": (["No such container: container-1", ""], 1, "No such container: container-1"),
}


@pytest.mark.parametrize("said", ANSWERS)
def test_a_busy_engine_is_asked_again_to_freeze_a_container(said: str, tmp_path: Path) -> None:
    """While it says that it could not yet; any other answer is final and told."""
    answers, status, told = ANSWERS[said]
    engine = tmp_path / "docker"
    (tmp_path / "answers").write_text("".join(f"{one}\n" for one in answers), encoding="utf-8")
    engine.write_text(
        f"""#!/bin/sh
cd {tmp_path}
read -r answer < answers
sed -i 1d answers
[ -z "$answer" ] || {{ echo "$answer" >&2; exit 1; }}
echo container-1
""",
        encoding="utf-8",
    )
    engine.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", PAUSE, "sh", "container-1"], check=False, timeout=20, text=True,
        capture_output=True, env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"})  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr.strip()) == (status, "", told)


RESUMED = {
    "it was stopped": ([""], ["start"]),
    "it was frozen": (["cannot start a paused container", ""], ["start", "unpause"]),
    "it went on already": (
        ["cannot start a paused container", "cannot resume a running process", ""],
        ["start", "unpause", "start"],
    ),
}


@pytest.mark.parametrize("what", RESUMED)
def test_a_container_is_started_though_its_engine_learns_late(what: str) -> None:
    """That it goes on already; a stopped one, which is measured, is asked for once."""
    answers, commands = RESUMED[what]
    left, asked = iter(answers), []

    def run(command: Sequence[str], *_: object) -> Outcome:
        asked.append(command[1])
        answer = next(left)
        outcome = Outcome(tuple(command), int(bool(answer)), answer, 0.0)
        if answer:
            raise CommandError(outcome)
        return outcome

    replica = cast("outputs.Replica", SimpleNamespace(handle="container-1"))
    SIDES["container"].start(replica, cast("Runner", run))
    assert asked == commands


def test_a_container_that_cannot_start_is_told() -> None:
    """At once, by its engine's words."""

    def run(command: Sequence[str], *_: object) -> Outcome:
        raise CommandError(Outcome(tuple(command), 1, "No such container: container-1", 0.0))

    replica = cast("outputs.Replica", SimpleNamespace(handle="container-1"))
    with pytest.raises(CommandError, match="No such container"):
        SIDES["container"].start(replica, cast("Runner", run))
