"""What the events of ansible-runner amount to, and the lines that tell a person of them."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

from infra import telling

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


class PlaybookError(Exception):
    """The playbook did not come to its end; the message is for a person."""


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

    def missed(self, what: str) -> None:
        """Tell of what went wrong on the way to a rung and does not end the climb."""
        self.out.line(f"{_MARKS['failed']} {self.name}: {what}")

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
