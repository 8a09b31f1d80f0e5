"""The container side: how one reaches into a container."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from infra.outputs import Replica, Server
from labkit.sides.protocol import Run


def exec_command(replica: Replica, server: Server, lab_dir: Path, command: Sequence[str], *, tty: bool) -> list[str]:  # noqa: ARG001 - one protocol for both sides
    """The command line that runs `command` (a shell if empty) in the container, by the server's engine."""
    flags = ["-it"] if tty else ["-i"]
    return ["docker", "--host", server.docker_host, "exec", *flags, replica.handle, *(command or ["bash"])]


def start(replica: Replica, run: Run) -> None:
    """Start the stopped container."""
    run(["docker", "start", replica.handle])


def stop(replica: Replica, run: Run) -> None:
    """Stop the container: TERM, after the engine's grace KILL."""
    run(["docker", "stop", replica.handle])
