"""What an experiment sets going inside a replica and may not outlive it: noted before it begins, with what ends it.

Who set it going ends it in `finally`. After a KILL `./lab leftovers` finds the note and names what ends it, if it is
there still, and the next `./lab up` ends it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from labkit.lifecycle.running import RunningLab
from labkit.system import shell
from labkit.system.errors import LabError
from labkit.system.files import write_whole

FILES = "inside-*.json"
"""What the notes are called, in the folder of the lab's state."""

_LOOK_S = 30.0
_END_S = 60.0


@dataclass(frozen=True)
class Noted:
    """One thing in one replica. The words are whole commands of this machine."""

    replica: str
    what: str
    """What it is, in words: "a neighbour that misbehaves"."""
    look: tuple[str, ...]
    """Succeeds where something of it is there."""
    end: tuple[str, ...]
    """Ends it and removes it, whatever there is of it."""


def note(place: RunningLab, one: Noted) -> None:
    """Note it, before it begins; in the place of what was noted of that replica before."""
    write_whole(_file(place.ready.machine.lab_dir(place.lab), one.replica), json.dumps(asdict(one)) + "\n")


def forget(place: RunningLab, replica: str) -> None:
    """It is gone."""
    _file(place.ready.machine.lab_dir(place.lab), replica).unlink(missing_ok=True)


def noted(folder: Path) -> list[Noted]:
    """All notes of a lab, by the folder of its state. Raises LabError where one is none."""
    return [_read(file) for file in sorted(folder.glob(FILES))]


def left(folder: Path) -> list[Noted]:
    """What is noted and there still. Of a replica that cannot be reached nothing is told."""
    return [one for one in noted(folder) if shell.run(one.look, timeout_s=_LOOK_S, check=False).ok]


def end(folder: Path) -> list[Noted]:
    """End what is noted and there still; what that was. Raises CommandError where it does not end."""
    found = left(folder)
    for one in found:
        shell.run(one.end, timeout_s=_END_S, hint=f"./lab exec {one.replica}")
        _file(folder, one.replica).unlink(missing_ok=True)
    return found


def _file(folder: Path, replica: str) -> Path:
    return folder / FILES.replace("*", replica)


def _read(file: Path) -> Noted:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        words = {name: tuple(map(str, found[name])) for name in ("look", "end")}
        return Noted(str(found["replica"]), str(found["what"]), **words)
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"{file} was edited: {error}", hint=f"remove it: rm {file}") from error
