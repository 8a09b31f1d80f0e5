"""What the experiment *reach* saw, as lines of a table: what was looked at, and what one arm found. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.sides import KINDS
from labkit.judge.model import Row
from labkit.measure.labs import Table
from labkit.runs.records import Repeat, Run
from labs.isolation import capabilities

Facts = Mapping[str, Any]
SECCOMP = {"0": "none", "1": "strict", "2": "a filter"}
FEW = 3


def _processes(facts: Facts) -> str:
    found, sees = facts["inside"]["processes"], facts["sees"]
    others = [f"its {who}'s" for who, seen in sees.items() if seen]
    return f"{found['count']}, the first is {found['first']}; {' and '.join(others) or 'none of others'}"


def _users(facts: Facts) -> str:
    uid = str(facts["inside"]["status"]["Uid"]).split()[0]
    whose = "its server's" if "user namespace" in facts["shares"] else "its own"
    return f"is user {uid} of {whose}"


def _shares(facts: Facts) -> str:
    return ", ".join(one.removesuffix(" namespace") for one in facts["shares"]) or "nothing"


def _kernel_log(facts: Facts) -> str:
    found = facts["inside"]["kernel_log"]
    return refused(found["refused"]) if found["refused"] else f"{found['bytes']} bytes of {_whose(facts)}"


def _whose(facts: Facts) -> str:
    return "its server's kernel" if "kernel" in facts["shares"] else "its own kernel"


def _modules(facts: Facts) -> str:
    count = facts["inside"]["modules"]
    return f"{count} of {_whose(facts)}"


def _settings(what: str) -> Callable[[Facts], str]:
    def told(facts: Facts) -> str:
        found = facts["inside"][what]
        return f"{found['writable']} of {found['files']}" + " so far as it came" * (not found["whole"])

    return told


def _devices(facts: Facts) -> str:
    return f"{len(facts['inside']['devices']['files'])} files"


def _disks(facts: Facts) -> str:
    found = facts["inside"]["devices"]
    opened = [path.removeprefix("/dev/") for path, how in found["block_in_dev"].items() if not how]
    listed = found["block_in_sys"]
    return f"reads {some(sorted(opened))}; is told of {some(listed)}"


def _raw(facts: Facts) -> str:
    return "; ".join(
        f"{what}: {refused(how) if how else 'yes'}" for what, how in facts["inside"]["raw_sockets"].items()
    )


def _neighbours(facts: Facts) -> str:
    reached = facts["inside"]["reached"]
    yes, no = (
        [name for name, how in reached.items() if not how],
        [f"not {name}" for name, how in reached.items() if how],
    )
    return ", ".join([*yes, *no])


def _sockets(facts: Facts) -> str:
    reached = [path for path, how in facts["inside"]["sockets"].items() if not how]
    return ", ".join(reached) or "none"


def _capabilities(facts: Facts) -> str:
    found = capabilities.held(facts["inside"]["status"].get("CapEff", ""))
    return f"{len(found)} of {len(capabilities.NAMES)}" + " with SYS_ADMIN" * ("SYS_ADMIN" in found)


def _filters(facts: Facts) -> str:
    module = facts["inside"]["security_module"]
    return f"seccomp: {SECCOMP.get(facts['inside']['status'].get('Seccomp', ''), '?')}" + f"; {module}" * bool(module)


def _clock(facts: Facts) -> str:
    how = facts["inside"]["clock"]["refused"]
    return refused(how) if how else f"may set that of {_whose(facts)}"


def _seen_by_server(facts: Facts) -> str:
    process = facts["server"]["process"]
    if process is None:
        return "no"
    return f"yes: {process['pid_inside']} inside is {process['pid']} there, waiting in {process['call']}"


LINES: tuple[tuple[str, Callable[[Facts], str]], ...] = (
    ("processes that it sees", _processes),
    ("its server sees a process of the replica", _seen_by_server),
    ("has in common with its server", _shares),
    ("users", _users),
    ("capabilities", _capabilities),
    ("filters of system calls", _filters),
    ("kernel's log", _kernel_log),
    ("kernel's modules", _modules),
    ("may write in /proc/sys", _settings("proc_sys")),
    ("may write in /sys", _settings("sys")),
    ("device files", _devices),
    ("block devices", _disks),
    ("packets", _raw),
    ("clock", _clock),
    ("sockets of engine and libvirt", _sockets),
    ("other replicas that it reaches on the LAN", _neighbours),
)


def refused(how: str) -> str:
    """An error's name in words."""
    return f"refused ({how})"


def some(names: Sequence[str]) -> str:
    """The first few."""
    more = len(names) - FEW
    return (", ".join(names[:FEW]) + (f" and {more} more" if more > 0 else "")) or "none"


def counting(run: Run, experiment: str) -> list[Repeat]:
    """The last repeat of each arm and action that counts."""
    found = run.experiment(experiment)
    counted = [one for one in found.repeats if one.counts] if found else []
    return list({(str(one.arm), one.action): one for one in counted}.values())


def who(repeat: Repeat) -> str:
    """An arm, for a person."""
    return " ".join((KINDS[repeat.side].word, *repeat.factors.values()))


def run_as(repeats: Sequence[Repeat]) -> tuple[str, ...]:
    """The line that says as what each arm's program ran."""
    return ("the program ran as", *(str(repeat.facts.get("ran_as", "not known")) for repeat in repeats))


def reach(run: Run, _rows: Sequence[Row]) -> Table:
    """A line for each thing that was looked at, a column for each arm."""
    repeats = counting(run, "reach")
    lines = [run_as(repeats)] if repeats else []
    lines += [(what, *(_told(tell, repeat.facts) for repeat in repeats)) for what, tell in LINES] if repeats else []
    return Table("What each sees and may touch, asked from inside", ("asked from inside", *map(who, repeats)), lines)


def _told(tell: Callable[[Facts], str], facts: Facts) -> str:
    try:
        return tell(facts)
    except (KeyError, TypeError, IndexError):
        # A run of another version, which did not look there.
        return "not known"
