"""What a shell offers behind ./lab: labs, replicas, experiments, runs. Nothing is asked but files of this checkout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

VARIABLE = "_LAB_COMPLETE"
"""Where a shell's script says what it wants; the launcher ./lab looks at it too."""

SHELLS: Mapping[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}

_PROGRAM = "lab"
"""Shells look a command up by the last part of its path: `./lab` and `/a/path/lab` as well."""


def source(tool: click.Command, shell: str) -> str:
    """The script that makes the shell, one of SHELLS, complete."""
    return SHELLS[shell](tool, {}, _PROGRAM, VARIABLE).source()


def labs(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Names of labs."""
    from labkit.system.stack_files import names  # noqa: PLC0415 - only where a shell asks

    return _fitting(names(), begun)


def replicas(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Replicas and servers of the labs that are up, as Pulumi's state files have them."""
    from labkit.lifecycle import state  # noqa: PLC0415 - only where a shell asks
    from labkit.system.stack_files import names  # noqa: PLC0415 - only where a shell asks

    found = []
    for lab in names():
        outputs = state.noted_outputs(lab)
        found += [one["name"] for key in ("replicas", "servers") for one in outputs.get(key, [])]
    return _fitting(found, begun)


def experiments(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Experiments of the lab that stands before."""
    from labkit.measure.labs import load  # noqa: PLC0415 - only where a shell asks

    lab = context.params.get("lab")
    return _fitting([one.name for one in load(lab).experiments] if lab else [], begun)


def faults(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Faults of the lab that stands before."""
    from labkit.measure.labs import load  # noqa: PLC0415 - only where a shell asks

    lab = context.params.get("lab")
    return _fitting([one.name for one in load(lab).faults] if lab else [], begun)


def benches(_context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """What can be measured of the tool, and of each lab."""
    from labkit.commands.bench import TOOL  # noqa: PLC0415 - only where a shell asks
    from labkit.measure.labs import load  # noqa: PLC0415 - only where a shell asks
    from labkit.system.stack_files import names  # noqa: PLC0415 - only where a shell asks

    return _fitting([*TOOL, *names(), *(name for lab in names() for name in load(lab).benches)], begun)


def runs(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Runs of the lab that stands before, the newest first."""
    from labkit.runs import run_folder  # noqa: PLC0415 - only where a shell asks

    lab = context.params.get("lab")
    return _fitting([folder.name for folder in reversed(run_folder.all_of(lab))] if lab else [], begun)


def _fitting(names: Iterable[str], begun: str) -> list[str]:
    return [name for name in dict.fromkeys(names) if name.startswith(begun)]
