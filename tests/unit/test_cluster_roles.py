"""What the roles that form clusters refuse before they touch anything, played on this machine alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOOL = str(Path(sys.executable).with_name("ansible-playbook"))
AS_ROOT = () if os.geteuid() == 0 else ("unshare", "-Ur")
HOSTS = ("server-1", "server-2", "server-3")

pytestmark = pytest.mark.slow


def play(folder: Path, role: str, variables: Mapping[str, Any], hosts: Mapping[str, Mapping[str, str]]) -> str:
    """What Ansible says when this role is played on hosts that are all this machine, by their own variables."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"servers": {"hosts": {name: {**here, **own} for name, own in hosts.items()}}}
    (folder / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
    book = [{"hosts": "servers", "gather_facts": False, "roles": [role]}]
    (folder / "play.yml").write_text(json.dumps(book), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ANSIBLE_ROLES_PATH": str(ROOT / "playbooks/roles"),
        "ANSIBLE_LOCAL_TEMP": str(folder),
    }
    done = subprocess.run(
        [*AS_ROOT, TOOL, "-i", "inventory.json", "play.yml", "--extra-vars", json.dumps(dict(variables))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        encoding="utf-8",
    )
    told = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode == 0) == ("fatal:" not in told), told
    return told


def folders(folder: Path, *names: str) -> dict[str, dict[str, str]]:
    """A folder for each host; those of one name are one."""
    for name in names:
        (folder / name).mkdir(exist_ok=True)
    return {host: {"storage_dir": str(folder / name)} for host, name in zip(HOSTS, names, strict=True)}


def test_storage_that_is_shared_is_taken(tmp_path: Path) -> None:
    """What one writes all read; and once more nothing is changed."""
    assert "fatal:" not in play(tmp_path, "storage", {}, folders(tmp_path, "a", "a", "a"))
    assert "changed=1" not in play(tmp_path, "storage", {}, folders(tmp_path, "a", "a", "a"))


def test_storage_that_is_not_shared_is_refused(tmp_path: Path) -> None:
    """By the server that does not read what another one wrote, with the next step."""
    told = play(tmp_path, "storage", {}, folders(tmp_path, "a", "a", "b"))
    assert told.count("fatal:") == 1
    assert "what one has written there server-3 does not read" in told
    assert "./lab down, then ./lab up" in told


@pytest.mark.parametrize(
    ("role", "variables", "problem"),
    [
        ("pacemaker", {"pacemaker_token_ms": 999, "pacemaker_key_file": "/nowhere"}, "pacemaker_token_ms is 999"),
        ("pacemaker", {"pacemaker_monitor_s": 0, "pacemaker_key_file": "/nowhere"}, "pacemaker_monitor_s 0"),
        ("swarm", {"swarm_heartbeat_s": 0}, "swarm_heartbeat_s is 0: at least 1 is needed"),
    ],
)
def test_timers_that_no_server_could_keep_are_refused_first(
    tmp_path: Path, role: str, variables: dict[str, Any], problem: str
) -> None:
    """Before any member is told of them."""
    told = play(tmp_path, role, variables, {host: {} for host in HOSTS})
    assert problem in told
    assert "else a busy server is taken for a dead one" in told
    assert "changed=1" not in told
