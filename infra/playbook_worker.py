"""Runs one playbook in one guest: `python -m infra.playbook_worker`, started by infra.playbook.

Standard input: one line of JSON, the inputs of the resource; its end means that the parent is gone. Standard error and
`<log_dir>/<name>.log`: one line a task as it happens. Standard output: one JSON object, {"ok", "changed", "seconds",
"ssh_s"} or {"problem"}. Exit status 0 only with the former. Whatever was started ends with this process.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from infra import environment, guest_lock, last_lines, surprise, telling

_POLL_S = 0.25
_CONNECT_S = 1.0
_KEYSCAN_S = 10
_PARTS = 12
"""A guest that may take ssh_timeout_s until its sshd answers may take this part of it for one answer later."""
_LINES = 15
"""Of what a task said; the log has the whole."""
_QUIET_ACTIONS = {"include_tasks", "ansible.builtin.include_tasks", "meta", "ansible.builtin.meta"}
_SAY = {"fail", "ansible.builtin.fail"}
"""Actions whose message is the playbook's own, for a person."""
_CHECKS = "Validating arguments"
_MARKS = {"ok": "✓", "changed": "✓", "failed": "✗", "unreachable": "✗"}
_EVENTS = {
    "runner_on_ok": "ok",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
    "runner_on_skipped": "skipped",
}
_MARKER = "VVC_PLAYBOOK_RUN"
"""Variable in the environment of all that a run starts: `log_dir`, the guest, and what tells it from other runs."""


class PlaybookError(Exception):
    """The playbook did not come to its end; the message is for a person."""


@dataclass
class Tally:
    """What the runner's events amount to: tasks by outcome, how many are told of, the last failed one's message."""

    out: Log
    name: str = ""
    ok: int = 0
    changed: int = 0
    ran: int = 0
    failure: str = ""
    _began: float = field(default_factory=time.monotonic)

    def reached(self, rung: str, seconds: float) -> None:
        """Tell of a rung of the ladder; the task that waited for it is counted from here."""
        self._began = time.monotonic()
        self.out.line(f"{_MARKS['ok']} {self.name}: {rung} ({seconds:.1f} s)")

    def event(self, event: Mapping[str, Any]) -> bool:
        """Count one event of ansible-runner and tell about it. False: the runner need not write it to a file."""
        kind, data = str(event.get("event", "")), event.get("event_data", {})
        if kind in {"playbook_on_task_start", "playbook_on_handler_task_start"}:
            self._began = time.monotonic()
        outcome = _EVENTS.get(kind)
        if outcome is None or outcome == "skipped":
            return False
        result = data.get("res") or {}
        if outcome == "ok" and result.get("changed"):
            outcome = "changed"
        task = str(data.get("task", ""))
        self.ok += outcome == "ok"
        self.changed += outcome == "changed"
        if outcome in {"failed", "unreachable"} and not data.get("ignore_errors"):
            own = data.get("task_action") in _SAY
            self.failure = f"{outcome} at task '{task}': {message(result, own=own)}"
        hidden = data.get("task_action") in _QUIET_ACTIONS or (task.startswith(_CHECKS) and outcome == "ok")
        if not hidden:
            self.ran += 1
            seconds = time.monotonic() - self._began
            self.out.line(f"{_MARKS[outcome]} {data.get('host')}: {task}: {outcome} ({seconds:.1f} s)")
        return False


def message(result: Mapping[str, Any], *, own: bool = False) -> str:
    """The message of a failed task in full, with those of a loop's items and what the command said.

    What is long is told by its telling line, but not a message that is the playbook's `own`.
    """
    parts = [str(result.get("msg", "")).strip()]
    parts += [message(item) for item in result.get("results", []) if isinstance(item, dict) and item.get("failed")]
    parts += [str(result[key]).strip() for key in ("stdout", "stderr", "module_stderr") if result.get(key)]
    errors = result.get("argument_errors") or []
    parts += [str(error) for error in errors if str(error) not in parts[0]]
    said = [
        telling.telling(part) if len(part.splitlines()) > _LINES and not (own and part == parts[0]) else part
        for part in dict.fromkeys(parts)
        if part
    ]
    return telling.without_scripts("\n".join(said))


class Log:
    """Lines for a person: on standard error and in the log file."""

    def __init__(self, file: TextIO, stream: TextIO = sys.stderr) -> None:
        self._file, self._stream = file, stream

    def line(self, text: str) -> None:
        """Say one thing."""
        print(text, file=self._file, flush=True)
        with contextlib.suppress(OSError, ValueError):  # nobody listens any more
            print(text, file=self._stream, flush=True)

    def detail(self, text: str) -> None:
        """Into the file only."""
        print(text, file=self._file, flush=True)


def wait_for_sshd(host: str, port: int, timeout_s: float, hint: str, stop: threading.Event) -> float:
    """Wait until something at host:port greets as an ssh server. Returns the seconds it took; raises RunError."""
    begin = time.monotonic()
    last = "not tried yet"
    while (elapsed := time.monotonic() - begin) < timeout_s and not stop.is_set():
        pause = begin + elapsed + _POLL_S
        try:
            # A machine on which sshd is long in coming up is one on which it is long in greeting.
            left = min(max(_CONNECT_S, elapsed / 10), timeout_s - elapsed)
            with socket.create_connection((host, port), timeout=left) as connection:
                banner = connection.recv(64)
            if banner.startswith(b"SSH-"):
                return time.monotonic() - begin
            last = f"it greets with {banner!r}" if banner else "it closes the connection"
        except OSError as error:
            last = str(error)
        stop.wait(max(0.0, min(pause, begin + timeout_s) - time.monotonic()))
    raise PlaybookError(
        f"Rung 'sshd answers': no ssh greeting from {host}:{port} after {time.monotonic() - begin:.1f} s "
        f"(bound: {timeout_s:.0f} s). Last: {last}." + (f" {hint}" if hint else "")
    )


def know_host(inputs: Mapping[str, Any], file: Path) -> None:
    """Make `file` hold the guest's host key: the one seen first, for as long as it is the same machine.

    `triggers` tell machines apart: a replaced VM has a new key, and the same one must not.
    """
    machine = hashlib.sha256(json.dumps([inputs["host"], inputs["port"], inputs["triggers"]]).encode()).hexdigest()
    mark = f"# machine {machine}\n"
    keep = file.with_suffix(".host_key")
    if not keep.is_file() or not keep.read_text(encoding="utf-8").startswith(mark):
        bound_s = max(_KEYSCAN_S, inputs["ssh_timeout_s"] // _PARTS)
        scan = ["ssh-keyscan", "-T", str(bound_s), "-t", "ed25519", "-p", str(inputs["port"]), inputs["host"]]
        try:
            keys = subprocess.run(
                scan,
                env=environment.plain(os.environ),
                capture_output=True,
                text=True,
                timeout=bound_s + 5,
                check=False,
                encoding="utf-8",
                errors="replace",
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PlaybookError(f"Cannot read the guest's host key: {shlex.join(scan)}: {error}") from error
        if not keys.stdout.strip():
            raise PlaybookError(f"Cannot read the guest's host key: {shlex.join(scan)}: {keys.stderr.strip()}")
        keep.write_text(mark + keys.stdout, encoding="utf-8")
    # The file that holds back Ansible's ssh appears whole.
    draft = file.with_suffix(".draft")
    draft.write_text(keep.read_text(encoding="utf-8"), encoding="utf-8")
    draft.replace(file)


def run(inputs: Mapping[str, Any], out: Log, stop: threading.Event) -> dict[str, Any]:
    """Run the playbook. Ansible starts up while the guest boots, and is held back until its sshd answers."""
    begin = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="vvc-playbook-"))
    marker = f"{_MARKER}={inputs['log_dir']}/{inputs['name']}/{uuid.uuid4()}"
    known = Path(inputs["log_dir"]) / f"{inputs['name']}.known_hosts"
    known.unlink(missing_ok=True)
    tally = Tally(out, inputs["name"])
    ladder = _Ladder(inputs, known, tally, stop)
    ladder.start()
    try:
        with _watch(ladder, stop):
            status, output = _ansible(inputs, folder, known, marker=marker, tally=tally, stop=stop)
    finally:
        stop.set()
        shutil.rmtree(folder, ignore_errors=True)
        end_marked(marker)
    out.detail(output)
    if ladder.problem:
        raise PlaybookError(ladder.problem)
    if status == "successful" and tally.ran:
        return {
            "ok": tally.ok,
            "changed": tally.changed,
            "seconds": round(time.monotonic() - begin, 1),
            "ssh_s": round(ladder.seconds, 1),
        }
    raise PlaybookError(_ending(status, inputs, tally, output, time.monotonic() - begin))


def _ending(status: str, inputs: Mapping[str, Any], tally: Tally, output: str, seconds: float) -> str:
    name = f"Playbook {Path(inputs['playbook']).name} for {inputs['name']}"
    if status == "successful":
        return f"{name} ended without having run a task: something selects none of them (tags, a limit)."
    if status == "timeout":
        return f"{name} gave up after {seconds:.0f} s (bound: {inputs['timeout_s'] + inputs['ssh_timeout_s']} s)."
    if status == "canceled":
        return f"{name} was stopped after {seconds:.0f} s."
    return f"{name}: {tally.failure or f'it ended as {status!r}{telling.because(output)}'}"


class _Ladder(threading.Thread):
    """The rung "sshd answers", beside Ansible's own start."""

    def __init__(self, inputs: Mapping[str, Any], known: Path, tally: Tally, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._inputs, self._known, self._tally, self._stop_event = inputs, known, tally, stop
        self.problem = ""
        self.seconds = 0.0
        self.failed = threading.Event()

    def run(self) -> None:
        inputs = self._inputs
        try:
            self.seconds = wait_for_sshd(
                inputs["host"], inputs["port"], inputs["ssh_timeout_s"], inputs["hint"], self._stop_event
            )
            self._tally.reached("sshd answers", self.seconds)
            know_host(inputs, self._known)
        except PlaybookError as error:
            if not self._stop_event.is_set():
                self.problem = str(error) + last_lines.of(inputs.get("console", []))
            self.failed.set()


@contextlib.contextmanager
def _watch(ladder: _Ladder, stop: threading.Event) -> Iterator[None]:
    # A rung that failed ends the runner, which asks `stop` several times a second.
    def follow() -> None:
        while not stop.is_set():
            if ladder.failed.wait(_POLL_S):
                stop.set()

    threading.Thread(target=follow, daemon=True).start()
    yield


def _ansible(
    inputs: Mapping[str, Any], folder: Path, known: Path, *, marker: str, tally: Tally, stop: threading.Event
) -> tuple[str, str]:
    # Imported beside the wait for sshd: it takes a third of a second. It has no type stubs.
    import ansible_runner  # type: ignore[import-untyped]  # noqa: PLC0415

    playbook = Path(inputs["playbook"])
    key, _, value = marker.partition("=")
    strategies = importlib.util.find_spec("ansible_mitogen.plugins.strategy")
    if strategies is None or not strategies.submodule_search_locations:
        raise PlaybookError("the Python package mitogen is not installed; run ./lab setup")
    names = _plain_names(
        folder,
        key=Path(inputs["private_key"]),
        known_hosts=known,
        ssh=Path(__file__).with_name("ansible_ssh"),
        strategy=Path(next(iter(strategies.submodule_search_locations))),
        python=Path(sys.executable),
    )
    host = {
        "ansible_host": inputs["host"],
        "ansible_port": inputs["port"],
        "ansible_user": inputs["user"],
        "ansible_ssh_private_key_file": names["key"],
        "ansible_ssh_executable": names["ssh"],
        "mitogen_ssh_keepalive_interval": 3,
        "mitogen_ssh_keepalive_count": max(3, inputs["ssh_timeout_s"] // _PARTS // 3),
        # Costs more on an emulated CPU than the bytes do on a network inside one machine.
        "mitogen_ssh_compression": False,
    }
    # Ansible's own value is the path of this interpreter, which Mitogen takes for words of a shell.
    here = {"ansible_connection": "local", "ansible_python_interpreter": names["python"]}
    runner = ansible_runner.run(
        private_data_dir=str(folder),
        playbook=str(playbook),
        inventory={"guests": {"hosts": {inputs["name"]: host}}, "ungrouped": {"hosts": {"localhost": here}}},
        extravars=dict(inputs["variables"]),
        envvars={
            key: value,
            "VVC_KNOWN_HOSTS": names["known_hosts"],
            "VVC_RUN_DIR": str(folder),
            "ANSIBLE_CONFIG": str(playbook.with_name("ansible.cfg")),
            # What runs here keeps its files there; Mitogen asks for the home, not for ANSIBLE_HOME.
            "HOME": str(folder / "home"),
            "ANSIBLE_STRATEGY_PLUGINS": names["strategy"],
            # Counts from Ansible's start, and so holds the guest's boot as well.
            "ANSIBLE_TIMEOUT": str(inputs["ssh_timeout_s"] + 60),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        },
        timeout=inputs["timeout_s"] + inputs["ssh_timeout_s"],
        quiet=True,
        event_handler=tally.event,
        cancel_callback=stop.is_set,
    )
    with runner.stdout as text:
        return str(runner.status), text.read()


def _plain_names(folder: Path, **targets: Path) -> dict[str, str]:
    """Links in the run's own folder: ssh and Ansible expand some characters that a checkout's path may have."""
    for name, target in targets.items():
        (folder / name).symlink_to(target)
    return {name: str(folder / name) for name in targets}


def end_marked(marker: str, grace_s: float = 2.0) -> None:
    """End every process that has `marker` in its environment: TERM, after `grace_s` seconds KILL."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + grace_s
        while (found := marked(marker)) and time.monotonic() < deadline:
            for process in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, sign)
            time.sleep(0.1)


def marked(marker: str) -> list[int]:
    """Process ids, this one's left out, of those with `marker` in their environment."""
    wanted = marker.encode()
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if wanted in environ.read_bytes().split(b"\0") and int(environ.parent.name) != os.getpid():
                found.append(int(environ.parent.name))
    return found


def main() -> int:
    """Read the inputs, run, answer."""
    stop = threading.Event()
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda *_: stop.set())
    inputs = json.loads(sys.stdin.readline())

    def until_parent_ends() -> None:
        # Not sys.stdin: its lock would be held for good, and the interpreter's end wants it.
        while os.read(0, 4096):
            pass
        stop.set()

    threading.Thread(target=until_parent_ends, daemon=True).start()
    log = Path(inputs["log_dir"]) / f"{inputs['name']}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file:
        out = Log(file)
        out.detail(f"## {time.strftime('%Y-%m-%dT%H:%M:%S%z')} {inputs['playbook']} for {inputs['host']}")
        try:
            with guest_lock.held(log.with_suffix(".lock"), inputs["name"], stop, out.line):
                result = run(inputs, out, stop)
            status = 0
        except (PlaybookError, guest_lock.HeldError) as error:
            out.detail(f"✗ {error}")
            result, status = {"problem": str(error)}, 1
        except Exception as error:  # noqa: BLE001 - the person gets a sentence, the log the traceback
            surprise.note(error, log)
            met = f"Playbook for {inputs['name']} met what it does not expect: {surprise.sentence(error)}. Log: {log}"
            result, status = {"problem": met}, 1
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main())
