"""The lab isolation's programs that run inside, and what is made of what they and the server say."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.outputs import Server
from labkit.judge.model import Observed
from labkit.measure import testing
from labkit.measure.experiment import Place
from labkit.measure.testing import FakeLab
from labkit.runs.records import Arm, Repeat, Results, Run
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome
from labs.isolation import capabilities, escapes, escapes_claims, looking, reach, reach_claims, sights, trying
from labs.isolation.sides import rights
from labs.isolation.sides.rights import CONTAINER, CONTAINER_PRIVILEGED, CONTAINER_ROOT, VM

BOOT = {"vm": "914773a7-9262-4c70-95c6-69b150fbed7a", "server": "74ff70d8-15de-4c1d-8c95-5f6c8ef6b573"}
DEFAULT = "00000000a80425fb"
"""What an engine leaves a container's root."""
ALL = "000001ffffffffff"

SERVER = f"""boot_id {BOOT["server"]}
namespace cgroup:[4026531835]
namespace net:[4026532189]
namespace user:[4026531837]
process 8123 0 8123 61
"""
"""As a server said it of a container's marked process."""


def test_the_server_names_a_process_and_the_call_in_which_it_waits() -> None:
    """With its number inside; a guest's is not known to it."""
    found = reach.of_server(SERVER)
    assert found["process"] == {"pid": 8123, "call": "read", "pid_inside": 61}
    assert found["namespaces"] == {
        "cgroup": "cgroup:[4026531835]",
        "net": "net:[4026532189]",
        "user": "user:[4026531837]",
    }
    assert reach.of_server(SERVER.rpartition("process")[0])["process"] is None
    assert reach.of_server("process 8123 unknown 8123\n")["process"] == {
        "pid": 8123,
        "call": "unknown",
        "pid_inside": 8123,
    }


def test_numbers_of_namespaces_say_nothing_of_another_kernel() -> None:
    """Each kernel counts its own, from the same number on."""
    server = reach.of_server(SERVER)
    inside = {"boot_id": BOOT["server"], "namespaces": {"net": "net:[1]", "user": "user:[4026531837]"}}
    assert reach.shared(inside, server) == ["kernel", "user namespace"]
    assert reach.shared({**inside, "boot_id": BOOT["vm"]}, server) == []


@pytest.mark.parametrize(
    ("mask", "names"),
    [("0000000000000003", ["CHOWN", "DAC_OVERRIDE"]), ("", []), ("0000000000200000", ["SYS_ADMIN"])],
)
def test_capabilities_have_names(mask: str, names: list[str]) -> None:
    """By their bits."""
    assert capabilities.held(mask) == names
    assert len(capabilities.held(ALL)) == len(capabilities.NAMES)


def test_a_container_as_an_engine_runs_it_has_fourteen() -> None:
    """Docker's own list, which has MKNOD and NET_RAW and not SYS_ADMIN."""
    found = capabilities.held(DEFAULT)
    assert len(found) == 14
    assert {"MKNOD", "NET_RAW"} <= set(found)
    assert "SYS_ADMIN" not in found


def looked(**more: Any) -> dict[str, Any]:
    """As a container said it, made shorter."""
    return {
        "boot_id": BOOT["server"],
        "kernel_release": "6.1.0-18-amd64",
        "status": {"Uid": "0\t0\t0\t0", "CapEff": DEFAULT, "Seccomp": "2", "NSpid": "1"},
        "uid_map": "0 0 4294967295",
        "security_module": "docker-default (enforce)",
        "namespaces": {"net": "net:[4026532500]", "user": "user:[4026531837]"},
        "processes": {"count": 3, "first": "python3"},
        "users": 19,
        "kernel_log": {"bytes": 0, "refused": "EPERM"},
        "modules": 7,
        "proc_sys": {"files": 1726, "writable": 0, "some": [], "whole": True},
        "sys": {"files": 15226, "writable": 0, "some": [], "whole": False},
        "devices": {
            "files": ["/dev/null", "/dev/zero"],
            "block_in_dev": {"/dev/vda": "EPERM", "/dev/loop0": ""},
            "block_in_sys": ["loop0", "loop1", "loop2", "vda"],
        },
        "raw_sockets": {"made by hand": "", "seen as they pass": "EPERM"},
        "reached": {"vm-1": "", "container-2": "ETIMEDOUT"},
        "sockets": {"/run/docker.sock": "EACCES"},
        "clock": {"refused": "EPERM"},
        **more,
    }


def facts(inside: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the experiment keeps of it."""
    server = reach.of_server(SERVER)
    return {
        "ran_as": "root, as an engine runs it",
        "inside": inside,
        "server": server,
        "sees": {"server": False, "neighbour": False},
        "shares": reach.shared(inside, server),
        **more,
    }


CONTAINER_FACTS = facts(looked())
VM_FACTS = facts(
    looked(
        boot_id=BOOT["vm"],
        status={"Uid": "0\t0\t0\t0", "CapEff": ALL, "Seccomp": "0"},
        proc_sys={"files": 900, "writable": 850, "some": [], "whole": True},
        kernel_log={"bytes": 30000, "refused": ""},
        clock={"refused": ""},
    ),
    server={**reach.of_server(SERVER), "process": None},
)


def test_what_can_be_counted_is_a_value() -> None:
    """A device that is there and may not be opened is none that can be read."""
    found = reach.counts(looked())
    assert found["readable_block_devices"] == 1
    assert (found["capabilities"], found["device_files"], found["writable_settings"]) == (14, 2, 0)


def run(experiment: str, told: dict[Arm, dict[str, Any]]) -> Run:
    """With one repeat an arm."""
    repeats = tuple(
        Repeat(experiment, arm.side, 1, 0.0, {}, facts=facts, factors=arm.factors) for arm, facts in told.items()
    )
    return Run("r", "isolation", "", "", "", {}, {}, (Results(experiment, "?", "complete", 1.0, repeats),))


def seen(name: str, one: Run) -> bool | None:
    """What a claim makes of it."""
    claim = next(claim for claim in (*reach_claims.CLAIMS, *escapes_claims.CLAIMS) if claim.name == name)
    assert isinstance(claim, Observed)
    found = claim.observe(one)
    return found.true if found else None


def test_the_table_has_a_line_for_each_thing_and_a_column_for_each_arm() -> None:
    """In words, with whose kernel it was."""
    shown = sights.reach(run("reach", {VM: VM_FACTS, CONTAINER_ROOT: CONTAINER_FACTS}), ())
    assert list(shown.head) == ["asked from inside", "VM root", "container root"]
    lines = {what: told for what, *told in shown.lines}
    assert lines["kernel's log"] == ["30000 bytes of its own kernel", "refused (EPERM)"]
    assert lines["has in common with its server"] == ["nothing", "kernel, user"]
    assert lines["users"] == ["is user 0 of its own", "is user 0 of its server's"]
    assert lines["its server sees a process of the replica"][1] == "yes: 61 inside is 8123 there, waiting in read"
    assert lines["block devices"][1] == "reads loop0; is told of loop0, loop1, loop2 and 1 more"
    assert lines["other replicas that it reaches on the LAN"][1] == "vm-1, not container-2"
    assert lines["clock"] == ["may set that of its own kernel", "refused (EPERM)"]
    assert "not known" not in str(shown.lines)


def test_a_run_of_another_version_leaves_lines_open() -> None:
    """What it did not look at is not known, and nothing breaks."""
    shown = sights.reach(run("reach", {VM: {"inside": {}, "sees": {}, "shares": []}}), ())
    assert {told for _, told in shown.lines} == {"not known", "nothing"}


def test_the_claims_rest_on_marked_processes_and_on_the_servers_word() -> None:
    """A marker that was seen refutes one; a server that knows no such process, or another kernel inside, the other."""
    told = {VM: VM_FACTS, CONTAINER: CONTAINER_FACTS, CONTAINER_ROOT: CONTAINER_FACTS}
    whole = run("reach", told)
    for claim in reach_claims.CLAIMS:
        assert seen(claim.name, whole) is True, claim.name
    peeped = {**VM_FACTS, "sees": {"server": False, "neighbour": True}}
    assert seen("guest-sees-nobody-elses-processes", run("reach", {**told, VM: peeped})) is False
    unknown = {**CONTAINER_FACTS, "server": {**CONTAINER_FACTS["server"], "process": None}}
    assert seen("servers-kernel-answers-a-container", run("reach", {**told, CONTAINER: unknown})) is False
    own = facts(looked(boot_id=BOOT["vm"]))
    assert seen("guest-shares-nothing-with-its-server", run("reach", {**told, CONTAINER_ROOT: own})) is False
    assert seen("servers-kernel-answers-a-container", run("reach", {VM: VM_FACTS})) is None


def test_markers_are_found_among_the_words_of_others_and_not_of_who_looks() -> None:
    """It is told them backwards."""
    process = subprocess.Popen(
        ["sh", "-c", "echo here; read -r _", "vvc-marker-of-a-test"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        program = Path(str(looking.__file__)).read_text(encoding="utf-8").partition("\nif __name__")[0]
        words = [sys.executable, "-c", f"{program}\nprint(json.dumps(processes(json.loads(sys.argv[1]))))"]
        asked = json.dumps(["vvc-marker-of-a-test"[::-1], "vvc-nobody"[::-1]])
        done = subprocess.run([*words, asked], capture_output=True, text=True, timeout=60, check=True)
    finally:
        process.communicate()
    assert json.loads(done.stdout)["markers"] == ["vvc-marker-of-a-test"]


def test_what_the_kernel_only_shows_may_not_be_written(tmp_path: Path) -> None:
    """Though root may write all files; links are followed nowhere."""
    for name, mode in {"a": 0o644, "b": 0o444, "c": 0o200}.items():
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "d").symlink_to(tmp_path / "a")
    found = looking.settings(str(tmp_path), float("inf"))
    assert (found["files"], found["writable"], found["whole"]) == (3, 2, True)
    assert found["some"] == [str(tmp_path / "a"), str(tmp_path / "c")]


def test_a_walk_that_takes_too_long_says_so(tmp_path: Path) -> None:
    """It counts so far as it came."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x").touch()
    assert looking.settings(str(tmp_path), 0.0) == {"files": 0, "writable": 0, "some": [], "whole": False}


def test_errors_have_names(tmp_path: Path) -> None:
    """Of calls, connections and sockets."""
    assert looking.tried((tmp_path / "x").read_text) == "ENOENT"
    assert looking.tried(lambda: None) == ""
    assert looking.connected("127.0.0.1:1") == "ECONNREFUSED"
    assert looking.socket_of(str(tmp_path / "x")) == "ENOENT"


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
