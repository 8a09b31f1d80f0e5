"""Experiment *surface*: which system calls reach the server's kernel while a replica answers a thousand requests.

strace(1) counts them in the server: of QEMU's process on one side, of the container's on the other. It stops the
process at each of them, twice, which makes the answers slower: their times are none of this experiment's values.
"""

from __future__ import annotations

import math
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.outputs import Replica
from labkit.judge.model import Claim, Measured, Metric
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.prober.handle import probing
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import Summary, summarise
from labkit.runs.records import Arm
from labkit.sides import Runner
from labkit.system.errors import CommandError
from labkit.system.waiting import until
from labs.isolation.sides.surface import SIDES

REPEATS, QUICK_REPEATS = 6, 1
REQUESTS = 1000
WRITES_IN = 5
"""One request in so many is a write: a service does both."""
PER_S = 25.0
"""With KVM as well: under strace a slow machine does not answer a hundred, and one rate lets machines be compared."""
_ASKING_S = REQUESTS / PER_S
DEADLINE_S = 5.0

START_LINE = "strace has attached to what stands for the replica"
FINISH_LINE = f"{REQUESTS} requests have been answered"

FOLDER = "/run/vvc-surface"
_STEADY_WITHIN_S = 60.0
_ATTACH_WITHIN_S = 30.0
_END_WITHIN_S = 30.0

NOTE = "/var/tmp/vvc-undo-surface"  # noqa: S108 - in a server, which is nobody's but the lab's
"""The script by which the server's own undo has nobody watch any more."""

END = f"""# strace watches a replica
if [ -e {FOLDER} ]; then
    if read -r pid < {FOLDER}/pid; then kill -KILL "$pid" 2> /dev/null || true; fi
    pkill -KILL -f '[-]-output={FOLDER}/summary' || true
    rm -rf {FOLDER}
fi
rm -f {NOTE}
"""
"""Nobody watches any more, and nothing is kept of it."""

WATCH = f"""
rm -rf {FOLDER}
mkdir -p {FOLDER}
printf '%s' "$3" > {NOTE}
set -- "$1" $(printf ' -p %s' $2)
within=$1
shift
timeout --signal=INT --kill-after=5 "$within" \\
    strace --follow-forks --summary-only --summary-columns=calls,errors,name --output={FOLDER}/summary "$@" \\
    > {FOLDER}/said 2>&1 < /dev/null &
echo $! > {FOLDER}/pid
"""
"""In a server: attaches to the processes $2 for $1 seconds at most, and comes back at once; $3 is what undoes it."""

SAID = f"cat {FOLDER}/said"

STOP = f"""
read -r pid < {FOLDER}/pid
kill -INT "$pid" 2> /dev/null || true
for try in $(seq 300); do
    kill -0 "$pid" 2> /dev/null || break
    sleep 0.1
done
cat {FOLDER}/summary
"""
"""Detaches, and prints what was counted."""

_LINE = re.compile(r"\s*(\d+)\s+(\d+\s+)?([a-z_0-9]+)\s*")


def turns(sides: Sequence[str], quick: bool) -> tuple[Turn, ...]:
    """The sides take turns; nothing is timed, so that there is no warm-up."""
    return take_turns(sides, QUICK_REPEATS if quick else REPEATS, warm_ups=0)


def measure(place: Place, turn: Turn) -> Seen:
    """Watch what stands for the replica while it answers; without values, but marked, where nobody may watch."""
    replica = place.replica(turn.side)
    run, watched = place.run(replica), SIDES[turn.side]
    pids = run(["sh", "-c", watched.pids, "sh", replica.handle]).output.split()
    with watching(run, pids, _ASKING_S + 2 * _STEADY_WITHIN_S) as why:
        if why:
            return Seen({}, marks=(f"not measured: strace cannot watch there: {why}",), replica=replica)
        found = _ask(replica)
        calls = parse(run(["sh", "-c", STOP]).output)
    return Seen(
        values(calls, found.good),
        facts={
            "watched": watched.what,
            "calls": calls,
            "good": found.good,
            "outcomes": dict(found.outcomes),
        },
        conditions={
            "start_line": START_LINE,
            "finish_line": FINISH_LINE,
            "client": f"open loop, {PER_S:g} requests a second, of {WRITES_IN} one is a write, a new connection each, "
            f"deadline {DEADLINE_S:g} s",
            "cache": "warm",
        },
        marks=incomplete(found),
        replica=replica,
    )


@contextmanager
def watching(run: Runner, pids: Sequence[str], within_s: float) -> Iterator[str]:
    """While inside, strace counts; gives why it cannot, in its own words, or nothing. It ends by itself after that."""
    try:
        run(["sh", "-c", WATCH, "sh", str(math.ceil(within_s)), " ".join(pids), END])
        said: list[str] = []

        def attached() -> bool:
            said[:] = run(["sh", "-c", SAID]).output.splitlines()
            return any("attached" in line or "strace:" in line for line in said)

        came = until(attached, _ATTACH_WITHIN_S, 0.2)
        wrong = [line.strip() for line in said if "attached" not in line]
        yield "" if came and not wrong else " ".join(wrong) or "it did not attach in time"
    finally:
        run(["sh", "-c", END])


def _ask(replica: Replica) -> Summary:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            *([replica.url], Path(folder)),
            reads_per_s=PER_S * (WRITES_IN - 1) / WRITES_IN,
            writes_per_s=PER_S / WRITES_IN,
            deadline_s=DEADLINE_S,
            duration_s=_ASKING_S,
        )
        with probing(settings, None) as prober:
            prober.wait_end(_ASKING_S + DEADLINE_S + _END_WITHIN_S)
        return summarise(prober.result.samples())


def parse(text: str) -> dict[str, int]:
    """System call -> how often, out of strace's summary, the most frequent first. Pure.

    Raises ValueError where there is no line of one: a watched process that answers has made some.
    """
    lines = (_LINE.fullmatch(line) for line in text.splitlines())
    found = {match[3]: int(match[1]) for match in lines if match and match[3] != "total"}
    if not found:
        raise ValueError(f"strace counted nothing: {text.strip()[:200] or 'it left no summary'}")
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))


def values(calls: Mapping[str, int], good: int) -> dict[str, float]:
    """How many kinds, and how many calls for a thousand good answers. Pure.

    {"read": 30, "write": 20} while 500 requests were answered: 2 kinds, 100 calls.
    """
    return {
        "system_call_kinds": float(len(calls)),
        "system_calls": round(sum(calls.values()) * REQUESTS / max(1, good)),
    }


def incomplete(found: Summary) -> tuple[str, ...]:
    """Why a count is shown, and does not count: under strace too few requests were answered. Pure."""
    if found.good >= REQUESTS * 9 / 10:
        return ()
    return (f"of {REQUESTS} requests {found.good} were answered while strace watched",)


def restore(place: Place) -> None:
    """Nobody watches in any server."""
    for server in place.contract.servers:
        try:
            place.runner(server)(["sh", "-c", END])
        except CommandError:
            continue  # one that is down has nobody who watches


EXPERIMENT = Experiment(
    name="surface",
    question=f"Which system calls reach the server's kernel while a replica answers {REQUESTS:,} requests?",
    prediction="On which side do more kinds of system calls reach the server's kernel?",
    turns=turns,
    measure=measure,
    restore=restore,
)

KINDS = Metric(
    "system_call_kinds",
    "kinds",
    f"How many different system calls the processes that stand for a replica made of the server's kernel while the "
    f"replica answered {REQUESTS:,} requests, as strace counts them.",
    experiment="surface",
    value="system_call_kinds",
    example=21,
)
CLAIMS: tuple[Claim, ...] = (
    Measured(
        name="fewer-kinds-from-a-vm",
        row="Isolation",
        text="Fewer kinds of system calls reach the server's kernel from a VM than from a container.",
        metric=KINDS,
        greater=Arm("container"),
        other=Arm("vm"),
        effect=1.2,
        bound_by="sharing",
        because="the system calls of a container's processes are its server's; those of a guest's end in its own "
        "kernel, and QEMU needs a few for what becomes of them: to wait, to wake, to read and write disk and adapter.",
        effect_because="either side makes a kind more or less from run to run, by what it happens to do meanwhile",
        beside="the article says nothing of how many kinds of system calls there are",
    ),
)
