"""Ansible as a resource: a thin dynamic resource over a worker process (infra/playbook_worker.py).

The worker is a process of its own because ansible-runner owns signals, terminals and the working directory, and
because it must end with all it has started when Pulumi ends. It tells what it does on stderr, line by line, and the
result on stdout as one JSON object.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, cast

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    ConfigureRequest,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    UpdateResult,
)

from infra import engine_life, environment, guest_lock
from infra.bounds import PLAYBOOK, READY, SSH
from infra.provider import Provider
from infra.worker.marked import end_marked, marker

_GRACE_S = 30
_ANSWERED = (0, 1)
"""A worker that ends so has ended all that it had started."""
_CONVERGE_AGAIN = ("host", "port", "user", "playbook", "variables", "digest", "triggers", "servers")
_MAX_PORT = 65535


@dataclass(frozen=True)
class Inputs:
    """What a Playbook is given, by the names that stand in Pulumi's state; `name` is the resource's as well."""

    name: str
    host: pulumi.Input[str]
    private_key: str
    """A path: keys never enter Pulumi's state."""
    playbook: str
    """Path of the file."""
    variables: Mapping[str, pulumi.Input[Any]]
    digest: str
    """Of the playbooks' and the service's files."""
    triggers: Sequence[pulumi.Input[str]]
    """What makes it another machine, such as the domain's id."""
    log_dir: str
    """Gets `<name>.log` and the host key."""
    port: int = 22
    user: str = "root"
    timeout_s: int = PLAYBOOK.default_s
    ssh_timeout_s: int = SSH.default_s
    hint: str = ""
    """Ends the message when the guest does not answer, followed by what `console` prints."""
    console: Sequence[str] = ()
    """Command that prints the console's last lines, see infra.last_lines."""
    start: Sequence[str] = ()
    """Command that starts a guest again which has ended before it answered; none where something else does that."""
    servers: Mapping[str, Mapping[str, str]] | None = None
    """In place of a guest: servers with their variables for Ansible. `host` is the engine that carries them."""


_INPUTS = tuple(one.name for one in fields(Inputs))


class PlaybookError(Exception):
    """A playbook did not come to its end; the message is the failing task's."""


def run_worker(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Run the worker on these inputs, pass its lines on to stdout, and return its result.

    Raises PlaybookError. Standard input stays open meanwhile: its end tells the worker that this process is gone.
    """
    inputs = {
        **inputs,
        "timeout_s": PLAYBOOK.given or inputs["timeout_s"],
        "ssh_timeout_s": SSH.given or inputs["ssh_timeout_s"],
    }
    if READY.given is not None:
        inputs["variables"] = {"service_ready_timeout_s": READY.given, **inputs["variables"]}
    bound_s = inputs["timeout_s"] + inputs["ssh_timeout_s"] + guest_lock.WITHIN_S + _GRACE_S
    worker = subprocess.Popen(
        [sys.executable, "-m", "infra.playbook_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parent.parent,
        env=environment.for_ansible(os.environ),
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    told, says = cast("IO[str]", worker.stdin), cast("IO[str]", worker.stdout)  # both are pipes
    try:
        # One that has ended before it has read: its log and its status say more than a broken pipe.
        with suppress(BrokenPipeError):
            told.write(json.dumps(dict(inputs)) + "\n")
            told.flush()
        # Not communicate(): that would close standard input. The worker itself is bounded; this is its own end.
        answer = says.read()
        worker.wait(_GRACE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlaybookError(f"the worker of {inputs['name']} failed within {bound_s:.0f} s: {error}") from error
    finally:
        if worker.poll() is None:
            worker.terminate()
        elif worker.returncode not in _ANSWERED:
            end_marked(marker(inputs))
        says.close()
        with suppress(BrokenPipeError):
            told.close()
    try:
        result: dict[str, Any] = json.loads(answer)
    except ValueError as error:
        raise PlaybookError(
            f"the worker of {inputs['name']} ended with status {worker.returncode} and no result; "
            f"see {Path(inputs['log_dir']) / inputs['name']}.log"
        ) from error
    if "problem" in result:
        raise PlaybookError(result["problem"])
    return result


class _Provider(Provider):
    # No secret goes in: the serialised provider stays readable and equal from run to run.
    serialize_as_secret_always = False

    def configure(self, req: ConfigureRequest) -> None:
        super().configure(req)
        engine_life.hold()

    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        return CheckResult(news, [CheckFailure(*problem) for problem in problems(news)])

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in _INPUTS))

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult(props["name"], outputs(props))

    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        if _reason(olds) == _reason(news) and "done" in olds:
            kept = {key: olds[key] for key in ("done", "changed", "ok", "seconds")}
            return UpdateResult({**_inputs(news), **kept})
        return UpdateResult(outputs(news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_, props)


class Playbook(Resource, module="lab", name="Playbook"):
    """A playbook that has run to its end in one guest, or in a cluster's servers.

    It runs anew when the host, the playbook, the variables, `digest` or `triggers` change, and at no other time.
    Outputs: `done` changes whenever the playbook ran for a new reason; `changed` and `ok` count tasks; `seconds` is
    wall time.
    """

    done: pulumi.Output[str]
    changed: pulumi.Output[int]
    ok: pulumi.Output[int]
    seconds: pulumi.Output[float]

    def __init__(self, inputs: Inputs, opts: pulumi.ResourceOptions | None = None) -> None:
        known_later = {"done": None, "changed": None, "ok": None, "seconds": None}
        super().__init__(_Provider(), inputs.name, {**vars(inputs), **known_later}, opts)


def problems(inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is wrong with these inputs: (property, problem). Inputs that are not known yet are no problem."""
    found = []
    if "host" in inputs and isinstance(inputs["host"], str) and not inputs["host"].strip():
        found.append(("host", "is empty: must be the guest's address"))
    if not 1 <= inputs["port"] <= _MAX_PORT:
        found.append(("port", f"is {inputs['port']}: must be from 1 to {_MAX_PORT}"))
    for key in ("timeout_s", "ssh_timeout_s"):
        if inputs[key] <= 0:
            found.append((key, f"is {inputs[key]}: must be above 0; no wait is unbounded"))
    found += [
        (key, f"there is no file {inputs[key]}")
        for key in ("playbook", "private_key")
        if not Path(inputs[key]).is_file()
    ]
    return found


def outputs(props: Mapping[str, Any]) -> dict[str, Any]:
    """Run the playbook; the resource's inputs and outputs."""
    result = run_worker(_inputs(props))
    done = hashlib.sha256(_reason(props).encode()).hexdigest()[:12]
    return {**_inputs(props), "done": done, **{key: result[key] for key in ("changed", "ok", "seconds")}}


def _reason(props: Mapping[str, Any]) -> str:
    # Where the playbook lies is none: a checkout may be moved, and `digest` tells of its content.
    told = {key: props.get(key) for key in _CONVERGE_AGAIN}
    return json.dumps({**told, "playbook": Path(props.get("playbook") or "").name}, sort_keys=True)


def _inputs(props: Mapping[str, Any]) -> dict[str, Any]:
    # Numbers come from Pulumi as floating point.
    given = {key: props.get(key) for key in _INPUTS}
    return {key: int(value) if isinstance(value, float) else value for key, value in given.items()}
