"""./lab itself: where it may lie, what it repairs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from infra import environment
from tests.pace import slower
from tests.unit.launcher.launching import FOLDERS, NOWHERE, ROOT, lab, with_pip

pytestmark = pytest.mark.timeout(300)


@with_pip
def test_it_works_from_everywhere_and_is_fast_the_second_time(checkout: Path, tmp_path: Path) -> None:
    """A path with a space and a quote, another folder, a link; arguments arrive as they are."""
    first = lab(checkout / "lab", "status", "a b", "")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("['status', 'a b', '']")
    assert str(checkout / "infra") in first.stdout
    assert "Making .venv" in first.stderr

    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "mylab"
    link.symlink_to(Path("..") / checkout.name / "lab")
    for program, cwd in ((link, Path("/")), (checkout / "lab", tmp_path)):
        again = lab(program, "x", cwd=cwd)
        assert again.stdout.startswith("['x']"), again.stderr
        assert not again.stderr

    seconds = []
    for _ in range(3):
        begin = time.monotonic()
        lab(checkout / "lab", "--help")
        seconds.append(time.monotonic() - begin)
    assert min(seconds) < 0.4 * slower()

    # Later: the packages of the tests, for `test` only.
    assert "requirements-dev" not in first.stderr
    assert "requirements-dev.txt" in lab(checkout / "lab", "test").stderr
    assert not lab(checkout / "lab", "test").stderr


@with_pip
def test_no_setting_of_another_python_or_pip_counts(checkout: Path) -> None:
    """The first time and later; standard output is UTF-8 in every locale. Where packages come from stays."""
    (checkout / "labkit" / "__main__.py").write_text("print('✓ …')\n", encoding="utf-8")
    misleading = {
        "PYTHONHOME": "/nonexistent",
        "PYTHONPATH": "/nonexistent",
        "PYTHONWARNINGS": "error",
        "PYTHONINSPECT": "1",
        "PYTHONIOENCODING": "ascii:strict",
        "PYTHONUTF8": "0",
        "PYTHONOPTIMIZE": "x",
        "PIP_USER": "1",
        "PIP_TARGET": "/nonexistent",
        "PIP_REQUIRE_VIRTUALENV": "maybe",
    }
    for locale in ("C", "de_DE.ISO-8859-1", "xx_XX.UTF-8"):
        told = lab(checkout / "lab", env={**misleading, "LC_ALL": locale})
        assert (told.returncode, told.stdout) == (0, "✓ …\n"), told.stderr


def test_launcher_and_module_let_the_same_variables_of_pip_through() -> None:
    """Two lists in two languages."""
    text = (ROOT / "lab").read_text(encoding="utf-8")
    block = text[text.index("case $name in\n") : text.index('*) unset "$name"')]
    assert set(re.findall(r"PIP_\w+", block)) == set(environment.PIP)


@pytest.mark.slow
def test_a_venv_that_does_not_fit_is_made_anew(checkout: Path, tmp_path: Path) -> None:
    """Unfinished, its interpreter gone, other requirements, or made for another folder."""

    def unfinished() -> None:
        (checkout / ".venv" / "checkout").unlink(missing_ok=True)

    def without_interpreter() -> None:
        for link in (checkout / ".venv" / "bin").glob("python*"):
            link.unlink()
            link.symlink_to("/nonexistent/python3")

    def other_requirements() -> None:
        (checkout / "requirements.txt").write_text("# changed\n", encoding="utf-8")

    assert lab(checkout / "lab").returncode == 0
    for damage in (unfinished, without_interpreter, other_requirements, None):
        (checkout / ".venv" / "relic").touch()
        if damage is None:
            checkout = checkout.rename(tmp_path / "moved")
        else:
            damage()
        repaired = lab(checkout / "lab", "x")
        assert repaired.returncode == 0, repaired.stderr
        assert str(checkout / "infra") in repaired.stdout
        assert "Making .venv" in repaired.stderr
        assert not (checkout / ".venv" / "relic").exists()


@with_pip
def test_interrupted_work_is_named_and_done_again(checkout: Path) -> None:
    """Ctrl-C while .venv is made: nothing is taken for finished."""
    process = subprocess.Popen(
        [str(checkout / "lab")],
        env={"PATH": f"{checkout.parent / 'python'}:{FOLDERS}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )
    assert process.stderr is not None
    assert "Making .venv" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in said
    assert not (checkout / ".venv" / "checkout").exists()
    assert lab(checkout / "lab", "x").stdout.startswith("['x']")


@with_pip
def test_pip_that_fails_is_one_message_and_a_log(checkout: Path) -> None:
    """An index that cannot be reached; the log says the rest."""
    (checkout / "requirements.txt").write_text(f"no-such-thing==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    failed = lab(checkout / "lab", "x", env=NOWHERE)
    assert failed.returncode == 1
    assert "✗ The Python package index cannot be reached." in failed.stderr
    log = Path(failed.stderr.rpartition("Log: ")[2].strip())
    assert log.is_relative_to(checkout / ".state" / "logs")
    assert "no-such-thing" in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["a:b", "a\nb", "a\\b", "a$HOME b"])
def test_a_path_that_cannot_work_is_refused_before_anything(name: str, checkout: Path) -> None:
    """A PATH ends at a colon; Ansible and ssh replace the others."""
    odd = checkout.rename(checkout.with_name(name))
    refused = lab(odd / "lab", "status")
    assert refused.returncode == 1
    assert "✗ The path of this checkout has a colon, a backslash, a dollar sign or a line break in it" in refused.stderr
    assert "Next: move the checkout to a path without" in refused.stderr
    assert not (odd / ".state").exists()


def test_a_venv_that_is_a_link_into_another_checkout_is_not_cleared(checkout: Path, tmp_path: Path) -> None:
    """The link goes, what it leads to stays."""
    (tmp_path / "theirs" / "bin").mkdir(parents=True)
    (tmp_path / "theirs" / "bin" / "python").touch()
    (checkout / ".venv").symlink_to(tmp_path / "theirs")
    done = lab(checkout / "lab", "status")
    assert done.returncode == 0, done.stderr
    assert f".venv is a link to {tmp_path}/theirs: it is made anew here" in done.stderr
    assert (tmp_path / "theirs" / "bin" / "python").exists()
    assert not (checkout / ".venv").is_symlink()


def test_what_another_user_left_is_told_before_anything(checkout: Path) -> None:
    """test(1) says of the state's folder that it is another's, as it would to a person after a ./lab with sudo."""
    (checkout / ".state").mkdir()
    program = checkout / "lab"
    text = program.read_text(encoding="utf-8")
    theirs = '[ -e "$path" ] && [ ! -w "$path" ] || continue'
    assert theirs in text
    # Root may write everywhere: what the shell would say of another's folder is put into its mouth.
    program.write_text(
        text.replace(theirs, '[ "$path" = "$here/.state" ] || continue').replace('[ ! -O "$path" ]', "true"),
        encoding="utf-8",
    )
    refused = lab(program, "doctor")
    assert refused.returncode == 1
    assert f"{checkout}/.state belongs to " in refused.stderr
    assert f"Next: sudo chown -R {os.getuid()}:{os.getgid()} '" in refused.stderr
    assert not (checkout / ".venv").exists()
