"""The Python environment of a program, found and made as the official tools find and make it.

`virtualenv` in Pulumi.yaml is relative to the project's root for the language host; the engine hands it on as it is
written, and the dynamic provider joins it to the folder that it is started in. Both meet only where that is the root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HANDED_ON = "PULUMI_RUNTIME_VIRTUALENV"
PYTHON_COMMAND = "PULUMI_PYTHON_CMD"
REQUIREMENTS = "requirements.txt"


class NoEnvironmentError(Exception):
    """There is no usable environment; the text says what to do."""


@dataclass(frozen=True)
class Environment:
    """Folder of a virtual environment; None for the Python of the PATH."""

    folder: Path | None

    @classmethod
    def of(cls, option: str, folder: str | os.PathLike[str]) -> Environment:
        """The environment that the option `virtualenv` names, seen from a folder."""
        return cls(Path(folder, option) if option else None)

    def python(self, variables: Mapping[str, str]) -> Path:
        """Its interpreter. Raises NoEnvironmentError when there is none."""
        if self.folder is not None:
            python = self.folder / "bin" / "python"
            if python.is_file():
                return python
            what = "is no virtual environment" if self.folder.is_dir() else "does not exist"
            raise NoEnvironmentError(
                f"Pulumi.yaml names the virtual environment {self.folder}, which {what}. Make it: pulumi install"
            )
        given = variables.get(PYTHON_COMMAND, "")
        names = (given,) if given else ("python3", "python")
        found = next((path for name in names if (path := shutil.which(name, path=variables.get("PATH")))), None)
        if found is None:
            raise NoEnvironmentError(f"There is no {' and no '.join(names)} on the PATH. Install Python 3.11 or newer.")
        return Path(found)

    def active(self, variables: Mapping[str, str]) -> dict[str, str]:
        """These variables, as they are in a shell in which it is active."""
        if self.folder is None:
            return dict(variables)
        kept = {name: value for name, value in variables.items() if name not in {"PYTHONHOME", "VIRTUAL_ENV"}}
        path = [str(self.folder / "bin"), *([kept["PATH"]] if kept.get("PATH") else [])]
        return {**kept, "PATH": os.pathsep.join(path), "VIRTUAL_ENV": str(self.folder)}

    @property
    def to_be_made(self) -> bool:
        """Whether the first `up` makes it: there is nothing at its place, or an empty folder."""
        return self.folder is not None and (not self.folder.exists() or not any(self.folder.iterdir()))


Step = tuple[str, Sequence[str]]


def steps(environment: Environment, program: Path, variables: Mapping[str, str]) -> list[Step]:
    """What `pulumi install` runs in the program's folder, each with what it says before."""
    found: list[Step] = []
    if environment.folder is None:
        python = str(environment.python(variables))
    else:
        base = str(Environment(None).python(variables))
        found.append(("Making the virtual environment", (base, "-m", "venv", str(environment.folder))))
        python = str(environment.folder / "bin" / "python")
    install = (python, "-m", "pip", "install")
    found.append(("Updating pip, setuptools and wheel", (*install, "--upgrade", "pip", "setuptools", "wheel")))
    if (program / REQUIREMENTS).is_file():
        found.append((f"Installing {REQUIREMENTS}", (*install, "-r", REQUIREMENTS)))
    return found


def install(environment: Environment, program: Path, tell: Callable[[str], None]) -> None:
    """Make the environment and install what the program's folder asks for. Raises NoEnvironmentError."""
    variables = environment.active(os.environ)
    for says, command in steps(environment, program, os.environ):
        tell(f"{says}...\n")
        with subprocess.Popen(
            command,
            cwd=program,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            encoding="utf-8",
        ) as process:
            last = ""
            for line in process.stdout or ():
                tell(line)
                last = line.strip() or last
        if process.returncode != 0:
            raise NoEnvironmentError(f"{says} failed with status {process.returncode}: {last}")


def is_own(python: Path) -> bool:
    """Whether this process runs on that interpreter."""
    return python.absolute().parent == Path(sys.executable).absolute().parent
