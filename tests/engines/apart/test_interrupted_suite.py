"""./lab test interrupted: what the tests made goes away."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import checkout, plan
from labkit.lifecycle import suite, suite_processes
from labkit.lifecycle.suite import Copy
from labkit.setup.docker import engine as engines
from labkit.system import processes
from labkit.system.progress import Quiet
from labkit.system.waiting import until
from tests.engines.real import ROOT, engine

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]

TEST_S = 400
MADE_S = 240
TESTS = {
    "tests/unit/test_made_here.py": '''
"""Makes what a lab has on an engine, a clone's as well, and a program; then waits to be interrupted."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from infra import machine, plan
from infra.checkout import identify
from labkit.system.paths import CHECKOUT, CHECKOUT_ID

LAB = "deployment"


def make(checkout: str, image: str) -> None:
    name = plan.Plan(checkout, LAB, plan.default_subnet(checkout, LAB)).name
    labels = ["--label", f"{plan.LAB_LABEL}={LAB}", "--label", f"{plan.CHECKOUT_LABEL}={checkout}"]
    docker = ["docker", "--host", machine.load().docker_host]
    subprocess.run([*docker, "volume", "create", *labels, name("data")], check=True, timeout=60)
    subprocess.run([*docker, "network", "create", "--internal", *labels, name("lan")], check=True, timeout=60)
    words = ["run", "-d", "--name", name("server-1"), *labels, "--network", name("lan"), "-v", f"{name('data')}:/data"]
    subprocess.run([*docker, *words, "--entrypoint", "sleep", image, "900"], check=True, timeout=120)


@pytest.mark.timeout(900)
def test_made(tmp_path: Path) -> None:
    machine.load().make_runtime_dir()
    image = machine.load().server_image
    subprocess.Popen(["sleep", "901"], start_new_session=True)
    clone = tmp_path / "clone"
    (clone / "infra").mkdir(parents=True)
    shutil.copy(CHECKOUT / "infra" / "plan.py", clone / "infra")
    (clone / "lab").touch()
    of_clone = identify(clone).id
    make(of_clone, image)
    make(CHECKOUT_ID, image)
    draft = Path(os.environ["VVC_MADE"] + ".part")
    draft.write_text(f"{clone}\\n{of_clone}", encoding="utf-8")
    draft.rename(os.environ["VVC_MADE"])
    time.sleep(800)
''',
    "tests/unit/test_passes.py": '''
"""Passes."""


def test_passes() -> None:
    """It does."""
''',
}


def environment(**more: str) -> dict[str, str]:
    """A person's: not that of the tests which run this."""
    clean = {
        key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "VVC_TESTS", "VVC_SUITE"))
    }
    return {**clean, **more}


@pytest.fixture(scope="module")
def person() -> Iterator[Path]:
    """A checkout of a person's beside ours, with our packages and caches, and with two tests of its own."""
    with tempfile.TemporaryDirectory() as folder:
        place = Copy(Path(folder) / "a person's")
        suite.make(ROOT, place)
        try:
            for name, text in TESTS.items():
                (place.checkout / name).write_text(text.lstrip(), encoding="utf-8")
            for cache in (".mypy_cache", ".ruff_cache"):
                (place.checkout / cache).symlink_to(os.environ.get(f"{cache[1:].upper()}_DIR", ROOT / cache))
            yield place.checkout
        finally:
            suite.remove(place, engines.connect(), Quiet())


def start(person: Path, test: str, made: Path) -> subprocess.Popen[str]:
    """./lab test of one file, its output in one pipe."""
    return subprocess.Popen(
        [person / "lab", "test", "--yes", "--", f"tests/unit/{test}.py"],
        cwd=person,
        env=environment(VVC_MADE=str(made)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )


def traces(person: Path, clone: Path, of_clone: str) -> list[str]:
    """All that is left of the tests: on the engine, of sockets, files and programs."""
    place = Copy(person / ".state" / "test")
    found = [one for one in (place.root, clone) if one.exists()]
    for identity in (of_clone, *(one for one, path in checkout.places().items() if path == str(place.checkout))):
        label = f"label={plan.CHECKOUT_LABEL}={identity}"
        for words in (["ps", "-aq"], ["network", "ls", "-q"], ["volume", "ls", "-q"]):
            found += [Path(one) for one in engine(*words, "--filter", label).split()]
        found += list(Path("/run").glob(f"{plan.PREFIX}-{identity}*"))
    running = suite_processes.of_tests(processes.running(), [place.root], os.getpid())
    return [str(one) for one in (*found, *running)]


@pytest.mark.parametrize("how", ["Ctrl-C", "TERM", "KILL"])
def test_what_an_interrupted_run_made_goes_away(person: Path, tmp_path: Path, how: str) -> None:
    """By Ctrl-C and TERM at once; after KILL the next ./lab test removes it, and says so."""
    made = tmp_path / "made"
    with start(person, "test_made_here", made) as process:
        assert until(lambda: made.exists() or process.poll() is not None, MADE_S), "the test never came that far"
        assert process.poll() is None, process.communicate()[0][-5000:]
        folder, of_clone = made.read_text(encoding="utf-8").splitlines()
        clone = Path(folder)
        assert len(traces(person, clone, of_clone)) >= 8
        if how == "Ctrl-C":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(getattr(signal, f"SIG{how}"))
        if how == "KILL":
            process.wait(MADE_S)
        else:
            told, _ = process.communicate(timeout=MADE_S)
            assert process.returncode == 130, told[-5000:]
    if how == "KILL":
        assert (person / ".state" / "test").exists()
        with start(person, "test_passes", made) as process:
            told, _ = process.communicate(timeout=TEST_S)
        assert process.returncode == 0, told[-5000:]
        assert "An earlier ./lab test was killed: removing what it left." in told
        assert re.search(r"= 1 passed in ", told.splitlines()[-1]), told[-500:]
    assert traces(person, clone, of_clone) == []
