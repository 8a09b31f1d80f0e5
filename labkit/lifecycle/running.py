"""A lab that is up, as everything that changes or measures it is given it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from infra import paths
from infra.outputs import Contract, Replica, Server
from labkit.lifecycle.set_up import Ready
from labkit.runs.records import Arm
from labkit.sides import SIDES, Runner, Side, where
from labkit.system import shell
from labkit.system.outcome import Outcome
from labkit.system.progress import Progress


@dataclass(frozen=True)
class RunningLab:
    """A lab that is up: what it exports, and how one works in it."""

    lab: str
    ready: Ready
    contract: Contract
    progress: Progress
    runner: Callable[[Server], Runner]
    """Server -> what runs a command inside it (labkit.sides.reach.runner)."""

    def replica(self, side: str, index: int = 0) -> Replica:
        """A replica of one side."""
        return self.contract.side(side)[index]

    def along(self, arm: Arm) -> Replica:
        """The first replica of the arm's side on the arm's path; on any path where the arm names none."""
        return next(self._along(arm))

    def has(self, arm: Arm) -> bool:
        """Whether the lab has a replica of the arm's side on the arm's path."""
        return next(self._along(arm), None) is not None

    def _along(self, arm: Arm) -> Iterator[Replica]:
        path = arm.factors.get("path", "")
        return (one for one in self.contract.side(arm.side) if path in ("", one.path or paths.of(one.side)[0]))

    def now(self, replica: Replica) -> Replica:
        """The replica as it is where it runs now, in a lab whose clusters move it; else as it was given."""
        found = where.found(replica, self.contract.servers, self.runner)
        return found[0][1] if found else replica

    def server(self, replica: Replica) -> Server:
        """The server on which a replica runs."""
        name = self.now(replica).server
        return next(server for server in self.contract.servers if server.name == name)

    def run(self, replica: Replica) -> Runner:
        """Runs a command inside the replica's server."""
        return self.runner(self.server(replica))

    def inside(self, replica: Replica) -> Runner:
        """Runs a command inside the replica itself."""
        lab_dir = self.ready.machine.lab_dir(self.lab)

        def run(
            command: Sequence[str], timeout_s: float = 60.0, on_line: Callable[[str], None] | None = None
        ) -> Outcome:
            here = self.now(replica)
            words = self.side(replica).exec_command(here, self.server(here), lab_dir, command, tty=False)
            return shell.run(words, timeout_s=timeout_s, on_line=on_line)

        return run

    def side(self, replica: Replica) -> Side:
        """What differs between the sides, for this replica."""
        return SIDES[replica.side]
