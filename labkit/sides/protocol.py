"""The protocol of a side, and how it reaches into a server and a replica."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from infra.outputs import Replica, Server
from labkit.system.outcome import Outcome


class Runner(Protocol):
    """Runs a command inside a server or a replica; raises CommandError when it fails or exceeds its bound."""

    def __call__(
        self, command: Sequence[str], timeout_s: float = 60.0, on_line: Callable[[str], None] | None = None
    ) -> Outcome:
        """Run it to its end; `on_line` sees each line of its output as it comes."""


@dataclass(frozen=True)
class Stats:
    """What a replica takes from its server at this moment, and what it may take."""

    pss_bytes: int
    """Proportional set size of the processes that the server runs for it alone: QEMU, or the container's own."""
    cpu_s: float
    """CPU time of those processes since they began, in seconds; resolution one tick, usually 10 ms."""
    vcpus: float
    """CPU limit, as the engine has it."""
    memory_mib: int
    """Memory limit (RAM of a guest), as the engine has it."""


@dataclass(frozen=True)
class Sizes:
    """Bytes on the server's disk. The image is all that another server would need to start the first replica."""

    virtual_bytes: int
    """As whoever uses it sees it: size of the guest's disk; sum of the layers' files."""
    allocated_bytes: int
    """Blocks that it takes on the server's disk."""
    compressed_bytes: int
    """One stream of it through COMPRESSOR, the same on both sides."""
    parts: Mapping[str, int]
    """Name of a file or layer -> allocated bytes."""
    image: str
    """The image's name in its own engine or pool."""


@dataclass(frozen=True)
class Event:
    """The instant at which a stage of a replica's last start ended, in seconds since a kernel's boot (BOOTTIME)."""

    ends: str
    """What ended then."""
    at_s: float
    clock: Literal["server", "replica"]
    """Whose kernel counts. A replica that shares its server's kernel has its clock, too."""
    source: str
    resolution_s: float


@dataclass(frozen=True)
class Port:
    """Where, in its server, a replica's packets can be seen."""

    interface: str
    """Its name there; `any` for all."""
    what: str
    """What it is, in words: "the tap of its QEMU"."""
    enter: Sequence[str] = ()
    """What stands before a command in the server, so that it runs in the interface's network namespace."""
    only: str = ""
    """Which of the interface's packets are the replica's, as pcap-filter(7) has it; empty: all."""
    namespace: Sequence[str] = ()
    """What stands before a command, so that it runs in the replica's own network namespace; empty: it has none there,
    but its server's, or a kernel of its own."""


COMPRESSOR = ("gzip", "-6")
"""What an image is compressed with to compare it: the one that registries keep layers in, at its default level."""


@dataclass(frozen=True)
class Object:
    """A kind of thing that a side has in its servers: how it is found there, told from others', and removed."""

    kind: str
    """What a person calls it: "domain"."""
    look: str
    """Script that prints those that are there, one "kind id name" a line. The id tells one from another of its name."""
    type: str = ""
    """Pulumi's type of it, where a provider of the server makes it; else healing lets it be, and `made` is None."""
    made: re.Pattern[str] | None = None
    """Names that `up` gives; None where what is there is taken over by the next creation."""
    remove: str = ""
    """Script that removes the one whose id is $1, of those that `up` made."""
    mend: str = ""
    """Script that puts right of one whose name is $1 what no provider does (that it is off, what belongs to it), and
    leaves one alone that is well."""
    stray: str = ""
    """Script that removes the one whose name is $1, of those that an experiment left; empty: none makes such."""


class Side(Protocol):
    """One side: what one does with a replica, and what is known of it beforehand.

    A replica that was started is not yet ready: that is for a prober to see. What a side cannot do it need not pretend:
    with SUSPENDED, PROCESSES or DISK empty it is not among the turns of what needs them.
    """

    @property
    def SUSPENDED(self) -> str:  # noqa: N802 - a constant of each side
        """In what state `suspend` leaves a replica, in words: the start line of a restore."""

    @property
    def STORAGE_DIR(self) -> str:  # noqa: N802 - a constant of each side
        """Folder in the server below which the replicas' data lie."""

    @property
    def OBJECTS(self) -> Sequence[Object]:  # noqa: N802 - a constant of each side
        """Its things in a server, in the order in which they can be removed. The first one's name is its replica's."""

    @property
    def PROCESSES(self) -> str:  # noqa: N802 - a constant of each side
        """Script, inside the server with the replica's handle as $1: prints "role pid" lines of what stands for it.

        Roles: `replica` (QEMU; the container's processes), `shim` and `proxy` (what the engine keeps for one
        container), `daemon` (shared by all of the side's replicas).
        """

    @property
    def DISK(self) -> str:  # noqa: N802 - a constant of each side
        """Script that prints what a replica has on disk of its own: "name bytes" lines, as allocated."""

    @property
    def GUEST_MEMORY(self) -> Sequence[str]:  # noqa: N802 - a constant of each side
        """What a replica with a kernel of its own says of its memory; empty: nothing of its own to ask."""

    @property
    def STATE(self) -> Sequence[str]:  # noqa: N802 - a constant of each side
        """The command, inside the server and before a replica's handle, that prints in which state it is."""

    @property
    def WHERE(self) -> str:  # noqa: N802 - a constant of each side
        """Script, inside a server, that prints the name by which the replica $1 runs there; nothing if it does not."""

    @property
    def LEADER(self) -> str:  # noqa: N802 - a constant of each side
        """Script, inside a server of a cluster, that prints the name of the one that decides for it, if it knows it."""

    @property
    def LOOK(self) -> str:  # noqa: N802 - a constant of each side
        """What one types behind `./lab exec SERVER` to see what the replica {name} said last."""

    @property
    def HAS_KEY(self) -> bool:  # noqa: N802 - a constant of each side
        """Whether the laptop must know a replica's ssh key first, which it does since the replica was configured."""

    def exec_command(
        self, replica: Replica, server: Server, lab_dir: Path, command: Sequence[str], *, tty: bool
    ) -> list[str]:
        """The command line that runs `command` inside a replica; an empty one is a shell."""

    def start(self, replica: Replica, run: Runner) -> None:
        """Start a replica that is shut off or suspended."""

    def stop(self, replica: Replica, run: Runner) -> None:
        """Shut a replica down in order and wait until it is off."""

    def kill(self, replica: Replica, run: Runner) -> None:
        """Cut it off, as a crash would, without a word to what runs in it."""

    def suspend(self, replica: Replica, run: Runner) -> None:
        """Halt it such that `start` lets it go on where it was; see SUSPENDED for what that is worth."""

    def port(self, replica: Replica, run: Runner) -> Port:
        """Where the packets of a running replica can be seen."""

    def stats(self, replica: Replica, run: Runner) -> Stats:
        """What a running replica takes and may take."""

    def sizes(self, replica: Replica, run: Runner) -> Sizes:
        """Bytes of its image and of itself; reads the whole image once."""

    def events(self, replica: Replica, run: Runner, inside: Runner) -> tuple[Event, ...]:
        """The stages of its last start, from what engine, kernel and init noted. `inside` runs in the replica."""


def numbers(outcome: Outcome) -> dict[str, Any]:
    """Lines `name number` of a script's output as a mapping. Raises ValueError where a line is none."""
    pairs = (line.split() for line in outcome.output.splitlines() if line.strip())
    return {name: float(value) if "." in value else int(value) for name, value in pairs}
