"""A copy of the launcher, and the Python that it finds."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.unit.launcher.launching import ROOT

TOOL = """\
import infra, sys
print(sys.argv[1:], sys.executable, infra.__file__)
"""

QUICK = """\
#!/bin/sh
# The launcher asks an interpreter for its path, makes .venv with it, then installs with .venv's own pip.
case $1.$2 in
    -c.*) echo "$0" ;;
    -m.venv)
        '{real}' -m venv --without-pip --clear "$4" &&
            for site in "$4"/lib/python3*/site-packages; do mkdir "$site/pip" && : >"$site/pip/__main__.py"; done
        ;;
    *) exec '{real}' "$@" ;;
esac
"""


@pytest.fixture
def pip() -> None:
    """A test that asks for it makes real .venvs, pip and all."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the launcher with a stand-in tool, in a path with a space; nothing is downloaded."""
    folder = tmp_path / "a check'out"
    for package in ("labkit", "infra"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
    (folder / "labkit" / "__main__.py").write_text(TOOL, encoding="utf-8")
    shutil.copy(ROOT / "lab", folder)
    (folder / "requirements.txt").touch()
    (folder / "requirements-dev.txt").touch()
    return folder


@pytest.fixture(autouse=True)
def python_on_path(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with this Python's interpreter, so that the tests do not hang on the machine's.

    It is under the name that the launcher looks for first; without `with_pip` it makes a .venv whose pip does nothing.
    """
    folder = tmp_path / "python"
    folder.mkdir()
    real = Path(sys.base_prefix) / "bin" / "python3"
    first = folder / "python3.13"
    if "pip" in request.fixturenames:
        first.symlink_to(real)
    else:
        first.write_text(QUICK.format(real=real), encoding="utf-8")
        first.chmod(0o755)
    (folder / "python3").symlink_to(first)
    return folder
