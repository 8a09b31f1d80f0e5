"""A worker that is stopped, killed or left alone by its parent leaves no process behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from labkit.system import paths, processes
from labkit.system.processes import Process
from labkit.system.waiting import until
from tests.pace import at_once
from tests.playbooks.guest import Guest

pytestmark = pytest.mark.engine
WITHIN_S = 10
PATIENCE_S = 120


def _stop(worker: subprocess.Popen[str], how: str) -> None:
    assert worker.stdin is not None
    if how == "parent gone":
        worker.stdin.close()
    else:
        worker.send_signal(getattr(signal, how))


def at_work(guest: Guest) -> list[Process]:
    """What the worker of this guest's playbook has started."""
    return [
        one for one in processes.running() if one.environment.get("VVC_PLAYBOOK_RUN", "").startswith(f"{guest.logs}/")
    ]


@pytest.mark.parametrize("how", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.long), "SIGKILL", "parent gone"])
def test_nothing_is_left(guest: Guest, first: dict[str, Any], how: str) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "infra.playbook_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=paths.CHECKOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        encoding="utf-8",
    )
    assert worker.stdin is not None
    assert worker.stderr is not None
    try:
        worker.stdin.write(json.dumps(guest.inputs()) + "\n")
        worker.stdin.flush()
        assert "sshd answers" in worker.stderr.readline()
        assert "Root file system" in worker.stderr.readline()
        assert at_work(guest), "Ansible must be seen at work, or the test shows nothing"
        with at_once(WITHIN_S):
            _stop(worker, how)
            worker.wait(PATIENCE_S)
            assert until(lambda: not at_work(guest), PATIENCE_S), at_work(guest)
        assert worker.returncode != 0
    finally:
        worker.kill()
        worker.wait()
        for stream in (worker.stdin, worker.stdout, worker.stderr):
            if stream is not None and not stream.closed:
                stream.close()
