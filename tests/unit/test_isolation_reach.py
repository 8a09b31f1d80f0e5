"""What the lab isolation's replicas see and may touch, as they and their server say it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from labs.isolation import capabilities, looking, reach, reach_claims, sights
from labs.isolation.sides.rights import CONTAINER, CONTAINER_ROOT, VM
from tests.unit.isolation import ALL, BOOT, DEFAULT, run, seen

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
