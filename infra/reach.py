"""How one gets something done in a server: the words of the program that reaches into it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Reach:
    """The way into a server. Of a local one it is the engine that carries it, and its container's name there."""

    kind: Literal["docker"]
    host: str
    """URL of the laptop's engine."""
    container: str

    def words(self, command: Sequence[str], *, stdin: bool = False, tty: bool = False) -> list[str]:
        """What runs a command in the server; with `stdin` it reads what comes in, with `tty` it has a terminal."""
        flags = f"-{'i' * stdin}{'t' * tty}"
        return [*self._docker, "exec", *([flags] if stdin or tty else []), self.container, *command]

    def words_in(self, file: str, path: str) -> list[str]:
        """What copies a file of the laptop into the server."""
        return [*self._docker, "cp", file, f"{self.container}:{path}"]

    def words_out(self, path: str, file: str) -> list[str]:
        """What copies a file of the server out to the laptop."""
        return [*self._docker, "cp", f"{self.container}:{path}", file]

    @property
    def ansible(self) -> dict[str, str]:
        """The variables by which Ansible gets there; `host` must be DOCKER_HOST in its environment.

        Mitogen has this connection as it has ssh's, and keeps one Python in the server for a whole play.
        """
        return {"ansible_connection": self.kind, "ansible_host": self.container, "ansible_user": "root"}

    def words_state(self) -> list[str]:
        """What prints, from outside, in which state the server is; it fails where there is none."""
        return [*self._docker, "inspect", "-f", "{{.State.Status}}", self.container]

    @property
    def _docker(self) -> tuple[str, ...]:
        return ("docker", "--host", self.host)
