"""Ends a command, or a part of it, at an event of the engines: which process, which event, and what is left after."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import yaml

from infra import checkout, plan
from infra import machine as machine_file
from labkit.lifecycle.programs import PARTS
from labkit.system import processes
from labkit.system.processes import Process
from labkit.system.waiting import until
from tests.engines.real import LAB, ROOT, command

UP, DOWN, BOTH = "up", "down", "up and down"
"""Commands that must work after a kill."""

EVENT_S = 240
END_S = 400
ORPHANS_S = 10
DISK = "/var/lib/libvirt/images/lab/vm-1.qcow2"

CONTAINER = "docker inspect -f '{{.Id}}' container-1"
"""Prints the identity of the container that is the replica."""

TASKS = {
    "task running": ("vm-1-playbook", "Root file system"),
    "cluster forming": ("container-cluster-playbook", "Servers that are in no swarm join it"),
}
"""Event -> a playbook and a task of it that comes early: when its end is told, others follow."""


VALUES: dict[str, tuple[str | int, str | int]] = {
    "service_version": ("1", "2"),
    "vcpus": (1, 2),
    "disk_gib": (2, 3),
    "subnet": ("10.255.81.0/24", "10.255.82.0/24"),
}
"""Keys of the stack's file, each with two values: from one to the other something is replaced."""


@dataclass(frozen=True)
class Kill:
    """One combination: `signal` to `victim` when `event` comes while `command` (up, down) runs, with these sides.

    `then` has the commands that must work after it; `changes` is the key whose other value `up` is to bring, see
    VALUES.
    """

    command: str
    victim: str
    signal: str
    event: str
    then: str
    sides: str
    changes: str

    def __str__(self) -> str:
        what = [
            self.command,
            self.victim,
            self.signal,
            self.event,
            *([self.changes, self.sides] if self.changes else []),
        ]
        return f"{'-'.join(what)}, then {self.then}".replace(" ", "_")


@dataclass(frozen=True)
class Site:
    """A checkout beside ours that shares our packages. Its lab is another one than ours."""

    checkout: Path

    lab: ClassVar[str] = LAB

    @property
    def id(self) -> str:
        """The checkout's id, which is in all names."""
        return checkout.identify(self.checkout).id

    @property
    def server(self) -> str:
        """Name of its first server's container."""
        return f"{plan.PREFIX}-{self.id}-{self.lab}-server-1"

    @property
    def backend(self) -> str:
        """URL of its Pulumi's state, which all its programs have in their environment."""
        return f"file://{quote(str(self.checkout / '.state' / 'pulumi'))}"

    def set(self, sides: str) -> None:
        """Which sides the next up brings up."""
        self._write({**self._config(), f"{plan.PROJECT}:sides": sides})

    def change(self, key: str) -> None:
        """The next up brings the other value of one of VALUES."""
        config, (first, second) = self._config(), VALUES[key]
        full = f"{plan.PROJECT}:{key}"
        # Pulumi writes numbers as texts when it rewrites the file.
        self._write({**config, full: second if str(config.get(full)) == str(first) else first})

    def _config(self) -> dict[str, Any]:
        values = yaml.safe_load((self.checkout / f"Pulumi.{self.lab}.yaml").read_text(encoding="utf-8"))
        return {f"{plan.PROJECT}:{key}": value for key, (value, _) in VALUES.items()} | (values.get("config") or {})

    def _write(self, config: dict[str, Any]) -> None:
        file = self.checkout / f"Pulumi.{self.lab}.yaml"
        file.write_text(yaml.safe_dump({"config": config}), encoding="utf-8")

    def start(self, *words: str) -> subprocess.Popen[str]:
        """./lab of that checkout in a session of its own, its output in one pipe."""
        return subprocess.Popen(
            [str(ROOT / ".venv" / "bin" / "python"), "-P", "-m", "labkit", *words],
            cwd=self.checkout,
            env=self._env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            encoding="utf-8",
        )

    def tool(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """./lab of that checkout to its end."""
        with self.start(*words) as process:
            told, ended = collect(process, END_S)
        assert ended, f"{words} does not end:\n{told[-5000:]}"
        assert not check or process.returncode == 0, f"{words} ended with {process.returncode}\n{told[-5000:]}"
        return subprocess.CompletedProcess(words, process.returncode, told, "")

    def _env(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "VVC_TESTS"))}
        return {**clean, "PYTHONPATH": str(self.checkout), "PYTHONUNBUFFERED": "1"}

    def programs(self) -> list[Process]:
        """All processes of this checkout, and those that run in its server when that is not there."""
        found = [one for one in processes.running() if self._is_ours(one)]
        if command(["docker", "ps", "-q", "--filter", f"name=^{self.server}$"]).stdout.strip():
            return found
        identity = str(uuid.uuid5(uuid.NAMESPACE_OID, self.server))
        return found + [one for one in processes.running() if one.environment.get("VVC_HOST_UUID") == identity]

    def _is_ours(self, one: Process) -> bool:
        path = str(self.checkout)
        return (
            one.environment.get("PULUMI_BACKEND_URL") == self.backend
            or one.environment.get("PYTHONPATH") == path
            or path in one.environment.get("VVC_PLAYBOOK_RUN", "")
            or any(path in word for word in one.words)
        )


def collect(process: subprocess.Popen[str], within_s: float) -> tuple[str, bool]:
    """What a process printed until its end, and whether it ended in time; if not, its session is killed."""
    ended = True
    try:
        told, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        ended = False
        os.killpg(process.pid, signal.SIGKILL)
        told, _ = process.communicate(timeout=within_s)
    return told, ended


def strike(site: Site, kill: Kill, lab: subprocess.Popen[str]) -> None:
    """Send the signal to the lab (the tool itself), the server (the container), or one of the PARTS.

    Ctrl-C goes to ./lab's whole group, as from a terminal.
    """
    number = getattr(signal, f"SIG{kill.signal}")
    if kill.victim == "server":
        command(["docker", "kill", "--signal", kill.signal, site.server])
    elif kill.victim == "lab":
        (os.killpg if kill.signal == "INT" else os.kill)(lab.pid, number)
    else:
        pids = [one.pid for one in processes.running() if site._is_ours(one) and PARTS[kill.victim](one)]
        assert pids, f"no {kill.victim} runs at the event"
        for pid in pids:
            os.kill(pid, number)


@contextmanager
def event(site: Site, name: str) -> Iterator[Callable[[], None]]:
    """Begin to look out for an event before the command starts; inside, the function waits for it, bounded."""
    words = [
        "docker",
        "events",
        "--filter",
        "type=container",
        "--filter",
        f"container={site.server}",
        "--format",
        "{{.Action}}",
    ]
    logs = {task: site.checkout / ".state" / site.lab / f"{playbook}.log" for playbook, task in TASKS.values()}
    older = {task: log.stat().st_size if log.exists() else 0 for task, log in logs.items()}
    seen: list[str] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, encoding="utf-8") as docker:

        def read() -> None:
            for line in docker.stdout or ():
                seen.append(line.strip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()

        def engine_says(action: str) -> None:
            assert until(lambda: any(one.startswith(action) for one in seen), EVENT_S, 0.005), (action, seen)

        def in_server(script: str, *, new: bool = True) -> None:
            if new:
                engine_says("health_status: healthy")
            command(
                ["docker", "exec", site.server, "timeout", str(EVENT_S), "sh", "-c", script], timeout_s=EVENT_S + 10
            )

        def task_runs(task: str) -> None:
            log = logs[task]

            def told() -> bool:
                return log.exists() and task in log.read_text(encoding="utf-8")[older[task] :]

            assert until(told, EVENT_S, 0.02), "the worker never told of the task"

        waits: dict[str, Callable[[], None]] = {
            "server created": lambda: engine_says("create"),
            "server started": lambda: engine_says("start"),
            "base half uploaded": lambda: in_server(half_uploaded()),
            "domain created": lambda: in_server("virsh event --event lifecycle --timeout 100"),
            **{event: partial(task_runs, task) for event, (_, task) in TASKS.items()},
            "server stopping": lambda: engine_says("kill"),
            "server gone": lambda: engine_says("destroy"),
            "container gone": lambda: in_server(f"while {CONTAINER} >/dev/null 2>&1; do :; done", new=False),
            "container again": lambda: in_server(another(CONTAINER), new=False),
            "domain again": lambda: in_server(another("virsh domuuid vm-1"), new=False),
            # Its inode may be the old one's.
            "disk again": lambda: in_server(gone_and_back(DISK), new=False),
        }
        try:
            yield waits[name]
        finally:
            docker.terminate()
            reader.join(5)


def another(identity: str) -> str:
    """Script that ends when a command that prints an object's identity prints another one."""
    return f'was=$({identity}); until now=$({identity} 2>/dev/null) && [ "$now" != "$was" ]; do :; done'


def gone_and_back(file: str) -> str:
    """Script that ends when a file that is there has gone and another one has come."""
    return f"while [ -e {file} ]; do :; done; until [ -e {file} ]; do :; done"


def half_uploaded() -> str:
    """Script that ends when half of the guest's disk image is in the pool."""
    machine = machine_file.load()
    half = Path(machine.guest_dir, "disk.qcow2").stat().st_size // 2
    file = f"/var/lib/libvirt/images/lab/base-{machine.guest_digest}"
    return f'until [ "$(stat -c %s {file} 2>/dev/null || echo 0)" -ge {half} ]; do :; done'


def no_orphans(site: Site) -> None:
    """All programs of the checkout end within the bound of the issue."""
    begin = time.monotonic()
    left = site.programs()
    while left and time.monotonic() - begin < ORPHANS_S:
        time.sleep(0.2)
        left = site.programs()
    assert not left, [(one.pid, one.parent, one.words) for one in left]


def ended_by(site: Site, kill: Kill) -> None:
    """Start the command, strike at the event, and look that all of it ends."""
    with event(site, kill.event) as wait, site.start(kill.command, site.lab) as lab:
        try:
            wait()
            strike(site, kill, lab)
        finally:
            told, ended = collect(lab, END_S)
    assert ended, f"it does not end:\n{told[-5000:]}"
    assert lab.returncode != 0, f"it was not ended:\n{told[-5000:]}"
    no_orphans(site)


def works(site: Site, then: str) -> None:
    """`up` to every replica's answer; `down` says that nothing is left, leftovers finds nothing of ours, no program."""
    if UP in then:
        site.tool("up", site.lab)
    if DOWN in then:
        assert "nothing of it is left" in site.tool("down", site.lab).stdout
        site.tool("leftovers", site.lab)
        no_orphans(site)
