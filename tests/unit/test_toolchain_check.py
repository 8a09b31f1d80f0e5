"""A toolchain whose dynamic provider cannot start is found before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.lifecycle import doctor
from labkit.setup.tools import check as toolchain_check
from labkit.setup.tools import toolchain
from labkit.setup.tools.toolchain import Toolchain
from labkit.system.errors import LabError

OFFICIAL = """#!/bin/sh
# As the official one looks for its Python.
if [ ! -x "$PWD/$PULUMI_RUNTIME_VIRTUALENV/bin/python" ]; then
    echo "The environment $PWD/$PULUMI_RUNTIME_VIRTUALENV doesn't exist." >&2
    echo "Run the following commands" >&2
    exit 1
fi
echo 4711
exec sleep 60
"""


def script(file: Path, text: str) -> Path:
    """An executable file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with an environment, at a path with a space, and nothing of Pulumi's on the PATH."""
    folder = tmp_path / "a checkout"
    script(folder / ".venv" / "bin" / "python", "")
    (folder / "infra").mkdir()
    (folder / "infra" / "__main__.py").write_text("", encoding="utf-8")
    project(folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(toolchain_check, "CHECKOUT", folder)
    monkeypatch.setattr(toolchain_check, "VENV", folder / ".venv")
    monkeypatch.setattr(toolchain_check, "STATE", folder / ".state")
    return folder


def project(folder: Path, main: str = "") -> None:
    """Write Pulumi.yaml."""
    options = "runtime: {name: python, options: {toolchain: pip, virtualenv: .venv}}\n"
    (folder / "Pulumi.yaml").write_text(f"name: x\n{options}{main}", encoding="utf-8")


def tools(tmp_path: Path, text: str | None = OFFICIAL) -> Toolchain:
    """The person's Pulumi, with this provider beside it."""
    pulumi = script(tmp_path / "pulumi" / "bin" / "pulumi", "")
    if text is not None:
        script(pulumi.with_name(toolchain_check.PROVIDER), text)
    return Toolchain(pulumi, "3.259.0", "path", (), {"PULUMI_HOME": str(tmp_path / "pulumi")})


def test_one_that_starts_is_fine(tmp_path: Path, checkout: Path) -> None:
    """It names its port, and is ended."""
    assert not toolchain_check.problem(tools(tmp_path), checkout)


def test_a_program_that_lies_elsewhere_is_found(tmp_path: Path, checkout: Path) -> None:
    """`main: infra/__main__.py`, with which no `up` by the official tools worked."""
    project(checkout, "main: infra/__main__.py\n")
    assert f"does not start: The environment {checkout}/infra/.venv doesn't exist." in toolchain_check.problem(
        tools(tmp_path), checkout
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "comes without pulumi-resource-pulumi-python, in which playbooks run"),
        ("#!/no/such/interpreter\n", "No such file or directory"),
        ("#!/bin/sh\nexit 1\n", "no word"),
        ("#!/bin/sh\nexec sleep 60\n", "no word within 1 s"),
        ("#!/bin/sh\necho No module named grpc >&2; exit 1\n", "does not start: No module named grpc"),
    ],
    ids=["none", "no interpreter", "silent end", "silent", "its words"],
)
def test_others_that_do_not_start(tmp_path: Path, checkout: Path, text: str | None, why: str) -> None:
    """Each within its bound, told by its own words."""
    bound_s = 1 if "within 1 s" in why else 30
    assert why in toolchain_check.problem(tools(tmp_path, text), checkout, bound_s=bound_s)


def test_set_up_stops_there_and_says_what_to_do(tmp_path: Path, checkout: Path) -> None:
    """Once it has started it is not asked again until something changes."""
    with pytest.raises(LabError, match="does not start") as caught:
        toolchain_check.ensure(tools(tmp_path, "#!/bin/sh\necho broken\nexit 1\n"))
    assert "take it off the PATH" in caught.value.hint
    good = tools(tmp_path)
    toolchain_check.ensure(good)
    assert (checkout / ".state" / "provider-started").is_file()


def test_doctor_says_it(tmp_path: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was all green before."""
    project(checkout, "main: infra/__main__.py\n")
    monkeypatch.setattr(toolchain, "find", lambda: tools(tmp_path))
    monkeypatch.setattr(toolchain_check, "problem", lambda found: f"{found.pulumi} does not start")
    check = doctor._pulumi()
    assert (check.ok, check.needed, "does not start" in check.found) == (False, True, True)
