"""Runs the Pulumi CLI: the environment it needs, the labs' stacks, and its answers."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from infra import outputs
from infra.bounds import COMMAND, PULUMI
from infra.environment import OURS, for_pulumi, in_pulumis_way, straight
from infra.networks import LAN_BITS
from infra.plan import default_subnet
from labkit.lifecycle import _events, state
from labkit.setup.tools.toolchain import Toolchain
from labkit.system import shell, stack_files
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.paths import CHECKOUT, CHECKOUT_ID, VENV
from labkit.system.processes import STARTED_BY
from labkit.system.signals import caught
from labkit.system.waiting import until

UP = ("up", "--yes", "--skip-preview", "--suppress-outputs")
DESTROY = ("destroy", "--yes", "--skip-preview", "--suppress-outputs")
"""What `./lab up` and `./lab down` run, before -s and the lab."""

_AT_ONCE = "32"
"""Resources that Pulumi works on at the same time. By default that is four for each CPU; but here it waits, mostly: the
engine's provider spends 2 s of waiting on each volume and network, and six servers have two dozen of them."""

_END_S = 20
_LOOK_S = 8.0
"""Twice in a row a command must be lost before it is ended: a server may be replaced meanwhile."""


def environment(toolchain: Toolchain, docker_host: str) -> dict[str, str]:
    """Variables with which plain `pulumi` commands work in this checkout."""
    folders = [*map(str, toolchain.path_dirs), str(VENV / "bin")]
    return {
        **toolchain.env,
        "PATH": os.pathsep.join([*folders, os.environ.get("PATH", "")]),
        "DOCKER_HOST": docker_host,
        "PULUMI_BACKEND_URL": state.BACKEND_URL,
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_PARALLEL": _AT_ONCE,
        "PYTHONUTF8": OURS["PYTHONUTF8"],
        **straight(os.environ, _lans()),
    }


def _lans() -> list[str]:
    """The labs' networks: what the person asks there goes by no proxy either."""
    return [lan for lab in stack_files.names() for lan in lans(state.noted_outputs(lab), _wanted_lan(lab))]


def lans(outputs: Mapping[str, Any], wanted: str) -> list[str]:
    """Pure: networks of a lab: those of its servers, by the outputs of one that is up, else the one `wanted`."""
    addresses = [str(server["address"]) for server in outputs.get("servers", ())]
    return sorted({str(IPv4Network(f"{one}/{LAN_BITS}", strict=False)) for one in addresses}) or [wanted]


def _wanted_lan(lab: str) -> str:
    given = str(stack_files.config(lab).get("subnet", "auto"))
    return str(default_subnet(CHECKOUT_ID, lab)) if given == "auto" else given


def exports(variables: Mapping[str, str]) -> str:
    """The environment as sh lines, for eval "$(./lab env)". What is already in PATH is not said again.

    First what must go, since Pulumi would heed it: the person's variables for other work.
    """
    # Pulumi needs a folder for temporary files; Python would look for another one.
    lines = ['[ -w "${TMPDIR:-/tmp}" ] || unset TMPDIR']
    lines += [f"unset {name}" for name in in_pulumis_way(os.environ, variables)]
    for key, value in variables.items():
        if key == "PATH":
            own = value.removesuffix(os.environ.get("PATH", "")).rstrip(os.pathsep)
            lines.append(f'export PATH={shlex.quote(own)}:"$PATH"')
        else:
            lines.append(f"export {key}={shlex.quote(value)}")
    return "\n".join(lines)


class Pulumi:
    """The CLI, in this checkout."""

    def __init__(self, toolchain: Toolchain, docker_host: str) -> None:
        self._program = str(toolchain.pulumi)
        self._env = environment(toolchain, docker_host)

    def _own_env(self) -> dict[str, str]:
        return {**self._env, STARTED_BY: str(os.getpid())}

    def make_stacks(self) -> None:
        """Make the stack of each lab, where there is none yet: no command asks of one that is not there."""
        state.BACKEND.mkdir(parents=True, exist_ok=True)
        for lab in stack_files.names():
            if not self.has_stack(lab):
                self._ask(["stack", "init", lab, "--no-select"])

    def show(self, words: Sequence[str], timeout_s: float | None = None, lost: Callable[[], str] = lambda: "") -> int:
        """Run a command whose output belongs to the person at the terminal; its exit status.

        `timeout_s` bounds it, by default PULUMI. `lost` is asked every few seconds and says why the command cannot come
        to its end any more; "" if it can. A plugin waits for ever on a connection whose other end was killed: so the
        command is ended, and LabError raised.
        Ctrl-C reaches Pulumi through the terminal, TERM is passed on as Ctrl-C; we wait for its orderly end, and then
        raise KeyboardInterrupt: Pulumi may well say 0 of a command that it stopped half-way.
        """
        came: list[int] = []
        with tempfile.TemporaryDirectory(prefix="vvc-pulumi-") as folder:
            events = Path(folder) / "events.json"
            begin = time.monotonic()
            status = None
            try:
                status = self._show(words, events, PULUMI.seconds if timeout_s is None else timeout_s, came, lost)
            finally:
                ended = -signal.SIGKILL if status is None else status
                seconds = time.monotonic() - begin
                told = _events.text(events)
                shell.note(Outcome((self._program, *words), ended, told, seconds, timed_out=status is None))
        if came:
            raise KeyboardInterrupt
        return status

    def _show(
        self, words: Sequence[str], events: Path, timeout_s: float, came: list[int], lost: Callable[[], str]
    ) -> int:
        # The terminal is Pulumi's own; what it says there is noted from its events.
        command = [self._program, *words, "--event-log", str(events)]
        own = {**self._own_env(), "PULUMI_DEBUG_COMMANDS": "1"}
        bond = shell.end_with_starter()
        started: list[subprocess.Popen[bytes]] = []

        def take(number: int) -> None:
            came.append(number)
            if number == signal.SIGTERM and started:
                started[0].send_signal(signal.SIGINT)

        begin = time.monotonic()
        with caught(take):
            process = subprocess.Popen(
                command,
                env={**for_pulumi(os.environ), **own},
                cwd=CHECKOUT,
                preexec_fn=bond,  # noqa: PLW1509 - see there
            )
            if came:  # before there was anything to end
                process.send_signal(signal.SIGINT)
            started.append(process)
            why = ""
            while time.monotonic() - begin < timeout_s:
                with suppress(subprocess.TimeoutExpired):
                    return process.wait(_LOOK_S)
                again, why = why, lost()
                if why and why == again:
                    break
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_END_S)
            raise LabError(
                f"{why or 'Gave up'} after {time.monotonic() - begin:.0f} s: pulumi {shlex.join(words)}",
                hint="What is there: ./lab status",
            )

    def quiet(self, words: Sequence[str]) -> Outcome:
        """Run a command without showing it; how it ended. The flag --event-log is known here.

        When it is interrupted it has time to end what is under way: killed, it would not know what it has made.
        """
        env = {**self._own_env(), "PULUMI_DEBUG_COMMANDS": "1"}
        return shell.run(
            [self._program, *words],
            timeout_s=PULUMI.seconds,
            gets=for_pulumi,
            env=env,
            cwd=CHECKOUT,
            check=False,
            ends_with_us=True,
            grace_s=_END_S,
        )

    def outputs(self, lab: str) -> dict[str, Any]:
        """The stack's outputs; empty when the lab is down."""
        answer: dict[str, Any] = json.loads(self._ask(["stack", "output", "--json", "-s", lab]))
        return outputs.of_today(answer, self._env["DOCKER_HOST"])

    def has_stack(self, lab: str) -> bool:
        """Whether there is a stack of this name: also of a lab whose stack file is gone."""
        return state.file(lab).exists()

    def resources(self, lab: str) -> list[dict[str, Any]]:
        """What the stack's state holds."""
        deployment = json.loads(self._ask(["stack", "export", "-s", lab]))["deployment"]
        found: list[dict[str, Any]] = deployment.get("resources", [])
        return found

    def ids(self, lab: str) -> frozenset[str]:
        """Ids, on the engine, of what the stack's state holds; empty when the lab is down.

        What was deleted for another to be made in its place is noted still, but what has its name now is not it.
        """
        noted = [one for one in self.resources(lab) if one["type"].startswith("docker:")]
        return frozenset(one["id"] for one in noted if one.get("id") and not one.get("pendingReplacement"))

    def release_stale_lock(self, lab: str) -> bool:
        """Remove the lock of a Pulumi on this machine that is dead; whether there was one.

        One whose ./lab was killed ends by itself: it is waited for, within bounds. The lock of any other living
        process stays: Pulumi itself then refuses.
        """
        until(lambda: not state.is_ending(lab), _END_S)
        stale = state.stale_locks(lab)
        for file in stale:
            file.unlink(missing_ok=True)
        return bool(stale)

    def claim(self, lab: str) -> bool:
        """Release the lock of a dead Pulumi; whether there was one. Raises LabError while one that lives has it."""
        released = self.release_stale_lock(lab)
        if self.at_work(lab):
            raise LabError(
                f"A Pulumi that runs holds the stack {lab}.",
                # Its process is not looked for where this machine had another name then.
                hint="wait until it has ended, or end it by Ctrl-C; "
                f'if none runs: eval "$(./lab env)"; pulumi cancel -s {lab}',
            )
        return released

    def forget_pending(self, lab: str) -> int:
        """Drop what a killed Pulumi was in the midst of from the stack's state; how many operations that were.

        Pulumi warns of them at length for ever: only a person at the terminal can answer what became of each. Here
        the caller looks for itself what is there. No Pulumi may be at work on the lab.
        """
        pending = state.pending_operations(lab)
        if pending:
            exported = json.loads(self._ask(["stack", "export", "-s", lab]))
            exported["deployment"]["pending_operations"] = []
            with tempfile.TemporaryDirectory(prefix="vvc-pulumi-") as folder:
                file = Path(folder, "state.json")
                file.write_text(json.dumps(exported), encoding="utf-8")
                self._ask(["stack", "import", "--file", str(file), "-s", lab])
        return pending

    def at_work(self, lab: str) -> bool:
        """Whether a Pulumi that lives holds the lab's stack."""
        return state.is_locked(lab)

    def _ask(self, words: Sequence[str]) -> str:
        state.mend_attributes()
        outcome = shell.run(
            [self._program, *words, "--non-interactive"],
            timeout_s=COMMAND.seconds,
            gets=for_pulumi,
            env=self._own_env(),
            cwd=CHECKOUT,
            stdout_only=True,
            ends_with_us=True,
            hint="See what Pulumi says; ./lab doctor looks at the rest.",
        )
        return outcome.output
