"""The failover lab in a checkout of its own, and what its tests ask of its clusters."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import requests

from infra import outputs, plan
from labkit.sides.container import PAUSE
from labkit.system.processes import alive
from labkit.system.waiting import until
from tests.engines.apart.kills import Site, collect
from tests.engines.real import ROOT, command
from tests.engines.test_life import wait_for

LAB = "failover"
BACK_S = 300
"""Bound of a guest that boots anew on an emulated CPU, beside other work."""
MEASURE_S = 900


class Failover(Site):
    """Its failover lab."""

    lab: ClassVar[str] = LAB

    @property
    def prefix(self) -> str:
        """What its containers' names begin with."""
        return f"{plan.PREFIX}-{self.id}-{LAB}-"

    def up(self) -> str:
        """`./lab up`, all that it says."""
        return self.tool("up", LAB).stdout

    def status(self) -> Any:
        """What `./lab status` says of it."""
        told = self.tool("status", LAB, "--json", check=False).stdout
        return json.loads(told[told.index("{") :])[LAB]

    def where(self, side: str) -> str:
        """The one server on which a side's replica runs."""

        def found() -> list[str]:
            return list(next(one["runs_on"] for one in self.status()["replicas"] if one["side"] == side))

        # Its service may answer a moment before its cluster has heard that it runs.
        (server,) = until(found, BACK_S)
        return server

    def measure(self, *words: str, within_s: float = MEASURE_S) -> Any:
        """A run of these experiments at this depth, as its report has it."""
        with self.start("run", LAB, *words) as process:
            told, ended = collect(process, within_s)
        assert ended, told
        assert process.returncode == 0, told
        report = self.tool("report", LAB, "--json").stdout
        return json.loads(report[report.index("{") :])["run"]

    def run(self, server: str, script: str) -> str:
        """What a script prints in a server."""
        return command(["docker", "exec", f"{self.prefix}{server}", "sh", "-c", script]).stdout

    def kill(self, name: str) -> None:
        """As when its power is cut."""
        command(["docker", "kill", f"{self.prefix}{name}"])

    def freeze(self, name: str) -> None:
        """Stop its processes where they are, as in a laptop that sleeps."""
        command(["sh", "-c", PAUSE, "sh", f"{self.prefix}{name}"])

    def state(self) -> list[dict[str, Any]]:
        """Resources of its Pulumi state."""
        file = next((self.checkout / ".state/pulumi/.pulumi/stacks").rglob(f"{LAB}.json"))
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["checkpoint"]["latest"]["resources"]
        return found

    def contract(self) -> outputs.Contract:
        """What it exports."""
        return outputs.from_outputs(self.state()[0]["outputs"])


def write(site: Failover, side: str, client: str, numbers: Sequence[int]) -> None:
    """Entries that the service acknowledges."""
    url = next(one.url for one in site.contract().edges if one.side == side)
    for number in numbers:
        body = {"client": client, "seq": number, "payload": f"{side} {number}"}
        answer = requests.post(f"{url}/entries", json=body, timeout=30)
        assert answer.status_code == 201, answer.text


def written(site: Failover, side: str, client: str) -> list[int]:
    """Entries that it has, when it answers."""
    url = next(one.url for one in site.contract().edges if one.side == side)
    found = wait_for(f"{url}/entries?client={client}&after=0", BACK_S)
    return [int(one["seq"]) for one in found["entries"]]


def who(site: Failover, side: str) -> dict[str, Any]:
    """What its replica says of itself, when it answers."""
    url = next(one.url for one in site.contract().edges if one.side == side)
    return dict(wait_for(f"{url}/whoami", BACK_S))


@contextmanager
def counted(site: Failover) -> Iterator[list[int]]:
    """How many QEMUs ran the VM at each look meanwhile, all at once: one server is looked at after the other."""
    ended, seen = threading.Event(), []
    names = [f"{site.prefix}server-{number}" for number in (1, 2, 3)]

    def watch() -> None:
        while not ended.wait(0.1):
            pids = [
                int(line.split()[0])
                for name in names
                for line in command(["docker", "top", name, "-eo", "pid,args"], check=False).stdout.splitlines()
                if "-name guest=vm-1," in line and "qemu-system" in line.split()[1]
            ]
            seen.append(sum(alive(pid) for pid in pids))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def unchanged(told: str) -> bool:
    """Whether a `pulumi up` changed nothing."""
    return re.search(r"^ +[0-9]+ unchanged$", told, re.MULTILINE) is not None and "changes." not in told


def play(site: Failover, inputs: dict[str, Any]) -> dict[str, Any]:
    """Run a playbook on a cluster's servers, as `up` does."""
    plain = {key: int(value) if isinstance(value, float) else value for key, value in inputs.items()}
    plain.pop("__provider", None)
    words = "from infra.playbook import run_worker; print(json.dumps(run_worker(json.load(sys.stdin))))"
    script = f"import json, sys; {words}"
    done = subprocess.run(
        [str(ROOT / ".venv/bin/python"), "-P", "-c", script],
        input=json.dumps(plain), cwd=site.checkout, env=site._env(), capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
