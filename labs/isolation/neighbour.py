"""A neighbour that misbehaves: the second replica of a side, with a program carried in, of which the first has nothing.

It ends by itself after its time (timeout(1)), is ended in `finally`, and is noted before anything is carried in: after
a KILL `./lab leftovers` finds it, and names what ends it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from infra.outputs import Replica
from labkit.lifecycle import inside, noted
from labkit.lifecycle.noted import Noted
from labkit.measure.experiment import Place
from labkit.sides import Runner
from labkit.system import carry
from labkit.system.errors import CommandError, LabError
from labs.isolation import burden
from labs.isolation.burden import Fault, Load
from labs.isolation.sides.neighbour import SIDES

ARCHIVE = "/usr/local/share/vvc/neighbour.tar.gz"
"""In the server: the program with the libraries that a replica lacks (images/server/neighbour.sh)."""
PARENT, FOLDER = "/var/tmp", "/var/tmp/vvc-neighbour"  # noqa: S108 - in a replica, which is nobody's but the lab's
"""In a replica: where it is carried, and where the neighbour works."""

UNPACK = f"mkdir -p {PARENT} && tar -xz -C {PARENT} && chmod a+rwx {FOLDER}"
USER = "service"
"""Who runs the service, in a guest and in a container."""
PROGRAM = f"[ ! -x {FOLDER}/stress-ng ] || echo there"

_SOME = f"""
some() {{
    found=
    for folder in /proc/[0-9]*; do
        read -r words 2> /dev/null < "$folder/stat" || continue
        case $words in *") Z "*) continue ;; esac
        # The program hides where it works from whoever may not trace it, but not its name.
        case $words:$(readlink "$folder/cwd") in
            *" (stress-ng"* | *:{FOLDER}*) found=1; "$@" "${{folder#/proc/}}" ;;
        esac
    done
    [ -n "$found" ]
}}
"""
LOOK = f"{_SOME}\n[ -e {FOLDER} ] || some true"
"""Succeeds where something of a neighbour is there; the dead that nobody has buried are no neighbour."""
END = f"""
{_SOME}
for try in $(seq 100); do
    some kill -KILL 2> /dev/null || break
    sleep 0.05
done
[ "${{1:-}}" = keep ] || rm -rf {FOLDER}
! some true
"""
"""Nothing of a neighbour runs any more; with "keep" its program stays for the next."""
PUT = f"mkdir -p {FOLDER} && printf '%s' \"$1\" > {FOLDER}/end"
"""Puts $1 there, which ends it, before the program is: short words do it then, that a person can type."""
RUN = f"""
within=$1
shift
cd {FOLDER} || exit 1
export LD_LIBRARY_PATH={FOLDER} PATH="{FOLDER}:$PATH"
# Whoever gets into a guest is root there; a neighbour is a program with the rights of a service, on either side.
[ "$(id -u)" != 0 ] || ! id {USER} > /dev/null 2>&1 ||
    set -- setpriv "--reuid={USER}" "--regid={USER}" --clear-groups "$@"
(
    least=
    for look in $(seq $((within * 2))); do
        sleep 0.5
        free=$(df --output=avail -k . | tail -n 1)
        # Where no process is to be had any more there is none to look.
        [ -n "$free" ] || continue
        [ -n "$least" ] && [ "$free" -ge "$least" ] || echo "least_free_kib $((least = free))"
    done
) &
looks=$!
trap 'kill "$looks" 2> /dev/null' EXIT
status=0
timeout --kill-after=2 "$within" "$@" || status=$?
echo "status $status"
"""
"""Runs the neighbour in its folder, for so many seconds at most; prints what is free there whenever it is less."""

_GRACE_S = 5
_CARRY_S = 120.0
_ENTER_S = 60.0


@dataclass(frozen=True)
class Events:
    """What was counted of a replica so far, and what the kernel that it has or shares has said."""

    oom_kills: int = 0
    refused_processes: int = 0
    state: str = ""
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lived:
    """How a neighbour's time was. Instants are of this machine's monotonic clock."""

    begun_s: float
    ended_s: float
    status: int | None
    """Of its program: 0 when it ended in order; None where it did not live to tell."""
    least_free_kib: int | None
    said: tuple[str, ...] = field(default=())
    """The last lines that it printed."""


def prepare(place: Place, replica: Replica) -> None:
    """Carry the program into a replica, which is noted first. Nothing to do where it is there."""
    run = place.inside(replica)
    noted.note(place, _note(place, replica))
    run(["sh", "-c", PUT, "sh", END])
    if run(["sh", "-c", PROGRAM]).output.strip():
        return
    source = place.server(replica).reach.words(["cat", ARCHIVE])
    carry.carry(source, place.words_inside(replica, ["sh", "-c", UNPACK]), _CARRY_S)


def live(place: Place, replica: Replica, fault: Fault, load: Load) -> Lived:
    """Let it misbehave for its time; returns when it has ended. Raises LabError when it never began."""
    begun: list[float] = []
    tail: list[str] = []

    def hear(line: str) -> None:
        tail.append(line)
        if fault.begins in line and not begun:
            begun.append(time.monotonic())

    within_s = round(load.seconds) + _GRACE_S
    with suppress(CommandError):  # who is killed by what it did has no status; what it was is in `tail`
        place.inside(replica)(
            ["sh", "-c", RUN, "sh", str(within_s), *fault.words(load)], within_s + _ENTER_S, on_line=hear
        )
    ended_s = time.monotonic()
    if not begun:
        told = "; ".join(tail[-3:]) or "it said nothing"
        raise LabError(
            f"The neighbour {replica.name} that {fault.what} did not begin: {told}",
            hint=f"./lab exec {replica.name}",
        )
    return lived(tail, begun[0], ended_s)


def lived(lines: Sequence[str], begun_s: float, ended_s: float) -> Lived:
    """Out of what it printed. Pure: ["least_free_kib 4", "status 0"] -> status 0, 4 KiB."""
    told = dict(line.split(maxsplit=1) for line in lines if line.startswith(("status ", "least_free_kib ")))
    own = [line for line in lines if not line.startswith(("status ", "least_free_kib "))]
    free = [int(line.split()[1]) for line in lines if line.startswith("least_free_kib ")]
    status = told.get("status", "")
    return Lived(begun_s, ended_s, int(status) if status else None, min(free, default=None), tuple(own[-4:]))


def rest(place: Place, replica: Replica) -> None:
    """It does nothing any more and has its limits; its program stays for the next time. Raises CommandError."""
    try:
        place.inside(replica)(["sh", "-c", END, "sh", "keep"])
    finally:
        run = place.run(replica)
        deafen(run)
        run([inside.UNDO])


def end(place: Place, replica: Replica) -> None:
    """Nothing of it is there any more. Raises CommandError where something survives, and keeps the note."""
    place.inside(replica)(["sh", "-c", END])
    noted.forget(place, replica.name)


def events(place: Place, replica: Replica) -> Events:
    """What is counted of it by now, by its own kernel and by its server."""
    held = SIDES[replica.side]
    own = place.inside(replica)(["sh", "-c", held.inside]).output if held.inside else ""
    beside = place.run(replica)(["sh", "-c", held.beside, "sh", replica.handle]).output
    return parse(f"{own}\n{beside}")


def parse(text: str) -> Events:
    """Out of the lines of a side's scripts. Pure: "oom_kills 2\\nsaid Killed process 7" -> 2, and the words."""
    pairs = [line.split(maxsplit=1) for line in text.splitlines() if len(line.split(maxsplit=1)) > 1]
    told = {name: value for name, value in pairs if name != "said"}
    return Events(
        oom_kills=int(told.get("oom_kills", 0)),
        refused_processes=int(told.get("refused_processes", 0)),
        state=told.get("state", "").strip(),
        said=tuple(value for name, value in pairs if name == "said"),
    )


def between(before: Events, after: Events) -> Events:
    """What came meanwhile. Pure.

    A log drops its oldest lines, so that lines are told apart by their number alone. What an engine notes of a
    replica's processes stays noted until the replica is started anew.
    """
    new = Counter(after.said) - Counter(before.said)
    return Events(
        max(0, after.oom_kills - before.oom_kills),
        max(0, after.refused_processes - before.refused_processes),
        after.state if after.state != before.state else after.state.partition(" (")[0],
        tuple(new.elements()),
    )


def ended_by(side: str, how: Lived, came: Events) -> str:
    """Who ended a neighbour, or kept it from going on, in words; "nobody: its time was over" else. Pure."""
    held = SIDES[side]
    found = []
    if came.oom_kills:
        found.append(f"{held.oom}, {_times(came.oom_kills)}")
    if came.refused_processes:
        found.append(f"{held.processes}, {_times(came.refused_processes)}")
    if how.least_free_kib is not None and how.least_free_kib < FULL_KIB:
        found.append("its disk, which is full")
    if not found and how.status is None:
        found.append("its connection, which broke off")
    return " and ".join(found) or "nobody: its time was over"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


FULL_KIB = 4096
"""Less than this free is full: the neighbour writes a MiB at once, and is looked at every half second."""


def listening(run: Runner, address: str) -> None:
    """Something listens at this address of the server for as long as a flood may take, and ends by itself."""
    run(["sh", "-c", LISTEN, "sh", str(burden.FLOOD_PORT), DEAFEN, address])


DEAFEN = """# iperf3 listens for a flood
pkill -x iperf3 || true
rm -f /run/vvc-flood.log /var/tmp/vvc-undo-flood
"""
LISTEN = """
pkill -x iperf3 || true
printf '%s' "$2" > /var/tmp/vvc-undo-flood
# At one address: its answers to a container would come from another one else, which nobody there takes.
timeout 60 iperf3 --server --bind "$3" --forceflush --one-off --port "$1" > /run/vvc-flood.log 2>&1 &
for try in $(seq 200); do
    grep -q listening /run/vvc-flood.log 2> /dev/null && exit 0
    sleep 0.1
done
echo "iperf3 does not listen in the server: $(cat /run/vvc-flood.log)"
exit 1
"""


def deafen(run: Runner) -> None:
    """Nothing listens there any more."""
    run(["sh", "-c", DEAFEN])


def lift(place: Place, replica: Replica) -> None:
    """Take off the limits by which its engine holds a replica; `restore` sets them again, from the server's note."""
    place.run(replica)(["sh", "-c", SIDES[replica.side].lift, "sh", replica.handle])


def restore(place: Place) -> None:
    """No replica has a neighbour's program or runs one, nothing listens, and all limits are the lab's."""
    for server in place.contract.servers:
        run = place.runner(server)
        deafen(run)
        run([inside.UNDO])
    for one in noted.noted(place.ready.machine.lab_dir(place.lab)):
        replica = next((known for known in place.contract.replicas if known.name == one.replica), None)
        if replica is not None:
            end(place, replica)


def _note(place: Place, replica: Replica) -> Noted:
    look, ends = (tuple(place.words_inside(replica, words)) for words in (["sh", "-c", LOOK], ["sh", f"{FOLDER}/end"]))
    return Noted(replica.name, "a neighbour that misbehaves, or its program", look, ends)
