"""The lab isolation's attempts, the rights under which they are made, and what is made of how they ended."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from infra.outputs import Server
from labkit.measure import testing
from labkit.measure.experiment import Place
from labkit.measure.testing import FakeLab
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome
from labs.isolation import escapes, escapes_claims, trying
from labs.isolation.sides import rights
from labs.isolation.sides.rights import CONTAINER, CONTAINER_PRIVILEGED, CONTAINER_ROOT, VM
from tests.unit.isolation import ALL, BOOT, DEFAULT, run, seen

ENDED = {
    "release_agent": {"step": "mount", "error": "EPERM"},
    "disk": {"step": "open", "error": "EPERM"},
    "sysrq": {"step": "open", "error": "EROFS"},
    "module": {"step": "load", "error": "EPERM"},
    "core_pattern": {"step": "open", "error": "EROFS"},
}
"""As from a container's root."""
ROOT = {"Uid": "0\t0\t0\t0", "CapEff": DEFAULT, "Seccomp": "2"}
USER = {"Uid": "990\t990\t990\t990", "CapEff": "0000000000000000", "Seccomp": "2"}
FREE = {"Uid": "0\t0\t0\t0", "CapEff": ALL, "Seccomp": "0"}
THROUGH = {"step": "", "error": ""}


@pytest.mark.parametrize(
    ("attempt", "ended", "status", "by"),
    [
        (
            "release_agent",
            ENDED["release_agent"],
            ROOT,
            "no capability SYS_ADMIN, and the engine's filter of system calls",
        ),
        ("release_agent", ENDED["release_agent"], FREE, "a namespace of control groups of its own"),
        ("disk", ENDED["disk"], ROOT, "its control group: no such device may be opened"),
        ("disk", {"step": "device file", "error": "EPERM"}, USER, "no capability MKNOD"),
        ("sysrq", ENDED["sysrq"], ROOT, "the file is mounted read-only"),
        ("sysrq", {"step": "open", "error": "EACCES"}, USER, "the file's mode: root alone may"),
        ("core_pattern", {"step": "open", "error": "EACCES"}, ROOT, "the kernel's security module"),
        ("module", ENDED["module"], ROOT, "no capability SYS_MODULE, and the engine's filter of system calls"),
        ("module", {"step": "load", "error": "EKEYREJECTED"}, FREE, "the kernel takes signed modules alone"),
        ("module", {"step": "load", "error": "EPERM"}, FREE, "the kernel"),
        ("module", {"step": "load", "error": "EPERM"}, {**FREE, "Seccomp": "2"}, "the engine's filter of system calls"),
    ],
)
def test_what_stopped_an_attempt(attempt: str, ended: dict[str, str], status: dict[str, str], by: str) -> None:
    """From the step at which it ended, the error and what the process may do."""
    assert escapes.stopped_by(attempt, ended, status) == by


def tried(boot_id: str, status: dict[str, str], attempts: dict[str, dict[str, str]]) -> dict[str, Any]:
    """What the experiment keeps of it."""
    told = {"boot_id": boot_id, "status": status, "attempts": attempts}
    return {"attempts": [escapes.outcome(name, told, BOOT["server"]) for name in attempts]}


ALL_THROUGH = dict.fromkeys(ENDED, THROUGH)
TRIED = {
    VM: tried(BOOT["vm"], FREE, ALL_THROUGH),
    CONTAINER: tried(BOOT["server"], USER, ENDED),
    CONTAINER_ROOT: tried(BOOT["server"], ROOT, ENDED),
    CONTAINER_PRIVILEGED: tried(BOOT["server"], FREE, {**ENDED, "sysrq": THROUGH}),
}


def test_the_same_attempt_reaches_the_kernel_below() -> None:
    """Whose that is, its boot id says."""
    whole = run("escapes", TRIED)
    for claim in escapes_claims.CLAIMS:
        assert seen(claim.name, whole) is True, claim.name
    out = {**TRIED, VM: tried(BOOT["server"], FREE, ALL_THROUGH)}
    assert seen("no-attempt-leaves-a-guest", run("escapes", out)) is False
    rooted = {**TRIED, CONTAINER_ROOT: TRIED[CONTAINER_PRIVILEGED]}
    assert seen("no-attempt-leaves-a-container", run("escapes", rooted)) is False
    shut = {**TRIED, CONTAINER_PRIVILEGED: TRIED[CONTAINER_ROOT]}
    assert seen("privileged-container-reaches-its-server", run("escapes", shut)) is False


def test_what_is_not_there_neither_stops_nor_lets_through() -> None:
    """A kernel without modules, or without the keys; nothing is claimed of it."""
    absent = {name: {"step": "open", "error": "ENOENT"} for name in ENDED}
    found = tried(BOOT["server"], ROOT, absent)
    assert {(one["outcome"], one["by"]) for one in found["attempts"]} == {(escapes.ABSENT, "")}
    told = {CONTAINER: TRIED[CONTAINER], CONTAINER_ROOT: found}
    assert seen("no-attempt-leaves-a-container", run("escapes", told)) is False
    some = tried(BOOT["server"], ROOT, {**ENDED, "sysrq": {"step": "open", "error": "ENOENT"}})
    assert seen("no-attempt-leaves-a-container", run("escapes", {**told, CONTAINER_ROOT: some})) is True


def test_the_table_of_attempts() -> None:
    """What each reached, or what stopped it."""
    lines = {what: told for what, *told in escapes.table(run("escapes", TRIED), ()).lines}
    assert lines["a key for the kernel: /proc/sysrq-trigger"] == [
        "reached its own kernel",
        "stopped: the file is mounted read-only (open: EROFS)",
        "stopped: the file is mounted read-only (open: EROFS)",
        "reached its server's kernel",
    ]
    assert set(escapes.ATTEMPTS) == set(trying.ATTEMPTS)


def test_the_servers_disk_is_its_engines() -> None:
    """Of two the one that the engine's files lie on, whichever is mounted first."""
    lines = [f"boot_id {BOOT['server']}", "disk 0:52 overlay /", "disk 254:0 ext4 /var/lib/docker"]
    for order in (lines, lines[::-1]):
        found = escapes.of_server("\n".join(order))
        assert (found["device"], found["kind"]) == ("254:0", "ext4")
    assert escapes.of_server(lines[1])["device"] == "0:52"


def test_an_attempt_says_how_far_it_came(tmp_path: Path) -> None:
    """The step and the error; neither where it went through, or where its error says that it did."""

    def act(_folder: str, asked: dict[str, str]) -> None:
        trying.step("first", lambda: None)
        trying.step("second", (tmp_path / asked["name"]).read_text, (errno.EBUSY,))

    (tmp_path / "there").touch()
    assert trying.attempt(act, {"name": "there"}) == THROUGH
    assert trying.attempt(act, {"name": "away"}) == {"step": "second", "error": "ENOENT"}

    def busy() -> None:
        raise OSError(errno.EBUSY, "busy")

    assert trying.step("mount", busy, (errno.EBUSY,)) is None


def test_what_lies_on_no_device_is_not_mounted() -> None:
    """Files of btrfs, or of a file system over others: their number is of no device."""
    assert trying.attempt(trying.servers_disk, {"device": "0:52", "kind": "btrfs"}) == {
        "step": "find",
        "error": "ENODEV",
    }


def test_what_is_written_is_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a program that the kernel starts, and the one key that prints help."""
    pattern, key = tmp_path / "core_pattern", tmp_path / "sysrq"
    pattern.write_bytes(b"|/usr/bin/x %p\n")
    key.touch()
    monkeypatch.setattr(trying, "CORE", str(pattern))
    monkeypatch.setattr(trying, "SYSRQ", str(key))
    assert trying.attempt(trying.core_pattern, {}) == trying.attempt(trying.sysrq, {}) == THROUGH
    assert (pattern.read_bytes(), key.read_bytes()) == (b"|/usr/bin/x %p\n", b"h")


def test_a_module_that_is_none_reaches_the_kernel_where_the_kernel_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may load none never hears that it is none."""
    for number, ended in ((errno.ENOEXEC, THROUGH), (errno.EPERM, {"step": "load", "error": "EPERM"})):

        def call(*_words: Any, number: int = number) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(trying, "call", call)
        assert trying.attempt(trying.module, {}) == ended


def test_a_container_with_other_rights_is_the_labs_own_and_limited_as_its_others_are(tmp_path: Path) -> None:
    """By its name the server's undo finds it; what differs between the two is one word."""
    lab = FakeLab("isolation", tmp_path)
    with lab.standing_in() as place:
        root, privileged = (
            rights.made(place, "vvc-rights-x", next(iter(rights.GIVEN[how].values())), "sha256:1", ["-c", "…", "{}"])
            for how in (rights.ROOT, rights.PRIVILEGED)
        )
    assert [word for word in privileged if word not in root] == ["--privileged"]
    assert root[root.index("--cpus") + 1] == "1"
    assert root[root.index("--memory") + 1] == "512m"
    assert sum(word == "--label" for word in root) == 2
    assert "--rm" in root


def _refusing(place: Place, refusal: str) -> Place:
    """A place in whose servers the engine refuses what is --privileged."""
    known = place.runner

    def runner(server: Server) -> Any:
        run = known(server)

        def refuses(command: list[str], timeout_s: float = 60.0) -> Outcome:
            if "--privileged" in command:
                raise CommandError(Outcome(tuple(command), 125, refusal, 0.1))
            return run(command, timeout_s)

        return refuses

    return dataclasses.replace(place, runner=runner)


def test_a_server_that_may_not_open_all_devices_hands_on_all_else(tmp_path: Path) -> None:
    """The run says so; and what else the engine refuses is told."""
    lab = testing.fake("isolation")("isolation", tmp_path)
    devices = 'runc create failed: failed to write "a *:* rwm": write …/devices.allow: operation not permitted'
    with lab.standing_in() as place:
        _, how = rights.python(_refusing(place, devices), CONTAINER_PRIVILEGED, trying, "{}")
        assert how == "root, all that --privileged gives but devices and /sys"
        with pytest.raises(CommandError, match="no such image"):
            rights.python(_refusing(place, "no such image"), CONTAINER_PRIVILEGED, trying, "{}")
        assert rights.python(place, CONTAINER_PRIVILEGED, trying, "{}")[1] == "root, --privileged"
    assert not lab.touched
