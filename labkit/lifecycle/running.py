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
        """A replica of one side, as it is now: a cluster may have moved it, and may move it again."""
        return self._now(self.contract.side(side)[index])

    def along(self, arm: Arm) -> Replica:
        """The first replica of the arm's side on the arm's path, as it is now; on any path where the arm names none."""
        return self._now(next(self._along(arm)))

    def has(self, arm: Arm) -> bool:
        """Whether the lab has a replica of the arm's side on the arm's path."""
        return next(self._along(arm), None) is not None

    def _along(self, arm: Arm) -> Iterator[Replica]:
        path = arm.factors.get("path", "")
        return (one for one in self.contract.side(arm.side) if path in ("", paths.taken(one.side, one.path)))

    def _now(self, replica: Replica) -> Replica:
        found = where.found(replica, self.contract.servers, self.runner)
        return found[0][1] if found else replica

    def server(self, replica: Replica) -> Server:
        """The server on which a replica runs."""
        return next(server for server in self.contract.servers if server.name == replica.server)

    def run(self, replica: Replica) -> Runner:
        """Runs a command inside the replica's server."""
        return self.runner(self.server(replica))

    def inside(self, replica: Replica) -> Runner:
        """Runs a command inside the replica itself."""

        def run(
            command: Sequence[str], timeout_s: float = 60.0, on_line: Callable[[str], None] | None = None
        ) -> Outcome:
            return shell.run(self.words_inside(replica, command), timeout_s=timeout_s, on_line=on_line)

        return run

    def words_inside(self, replica: Replica, command: Sequence[str]) -> list[str]:
        """The command line of this machine that runs a command inside a replica, without a terminal."""
        lab_dir = self.ready.machine.lab_dir(self.lab)
        return self.side(replica).exec_command(replica, self.server(replica), lab_dir, command, tty=False)

    def side(self, replica: Replica) -> Side:
        """What differs between the sides, for this replica."""
        return SIDES[replica.side]
