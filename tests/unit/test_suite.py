"""Where ./lab test works: what the copy holds, what its programs get, what is ended and removed after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from infra import plan
from infra.checkout import identify
from labkit.lifecycle import suite, suite_processes
from labkit.lifecycle.suite import Copy
from labkit.system.processes import Process
from labkit.system.progress import Quiet
from labkit.system.waiting import until
from tests import another_checkout

ROOT = Path(__file__).parents[2]
PERSON, SOURCE = Path("/home/me"), Path("/home/me/my lab")
PLACE = Copy(SOURCE / ".state" / "test")
GIT = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]


pytestmark = pytest.mark.slow


def write(folder: Path, files: dict[str, str]) -> None:
    """Files with their text, and the folders that they need."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def held(folder: Path) -> dict[str, str]:
    """Files below a folder with their text, git's own left out."""
    files = [one.relative_to(folder) for one in folder.rglob("*") if one.is_file()]
    return {str(one): (folder / one).read_text(encoding="utf-8") for one in files if one.parts[0] != ".git"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A checkout in a path with a space, with what its person has there beside."""
    folder = tmp_path / "a checkout"
    write(
        folder, {"lab": "#!/bin/sh\n", "infra/plan.py": "1", "gone": "x", ".gitignore": "/.state/\n/.venv/\n/runs/\n"}
    )
    (folder / "lab").chmod(0o755)
    write(folder, {".state/pulumi/a": "kept", ".venv/bin/x": "x", "runs/deployment/1/run.json": "{}"})
    return folder


def test_the_copy_is_the_working_tree_with_its_history(source: Path, tmp_path: Path) -> None:
    """Changed, deleted and new files as they are, links and modes too; nothing that git ignores."""
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*GIT, *words], cwd=source, check=True, timeout=20)
    write(source, {"infra/plan.py": "2", "labs/new lab/lab.py": "new"})
    (source / "gone").unlink()
    (source / "link").symlink_to("infra")
    suite.copy(source, tmp_path / "copy")
    assert held(tmp_path / "copy") == {
        "lab": "#!/bin/sh\n",
        "infra/plan.py": "2",
        "labs/new lab/lab.py": "new",
        ".gitignore": "/.state/\n/.venv/\n/runs/\n",
    }
    assert (tmp_path / "copy" / "link").readlink() == Path("infra")
    assert os.access(tmp_path / "copy" / "lab", os.X_OK)

    def told(folder: Path, *words: str) -> str:
        return subprocess.check_output(["git", *words], cwd=folder, text=True, timeout=20, encoding="utf-8")

    for words in (["rev-parse", "HEAD"], ["status", "--porcelain"]):
        assert told(tmp_path / "copy", *words) == told(source, *words)


def test_a_shallow_clone_is_copied_as_well(source: Path, tmp_path: Path) -> None:
    """As CI makes it; tests clone the copy in turn."""
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"], ["commit", "-qm", "2", "--allow-empty"]):
        subprocess.run([*GIT, *words], cwd=source, check=True, timeout=20)
    clones = [tmp_path / name for name in ("a shallow one", "copy", "clone")]
    url = f"file://{quote(str(source))}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", url, clones[0]], check=True, timeout=20)
    suite.copy(clones[0], clones[1])
    subprocess.run(["git", "clone", "-q", clones[1], clones[2]], check=True, timeout=20)
    told = subprocess.check_output(
        ["git", "log", "--format=%s"], cwd=clones[2], text=True, timeout=20, encoding="utf-8"
    )
    assert told == "2\n"


def test_the_settings_of_a_persons_labs_are_not_the_tests(source: Path, tmp_path: Path) -> None:
    """A subnet set for the lab that is up; a new lab's file is there."""
    write(source, {"Pulumi.deployment.yaml": "config: {}\n"})
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run([*GIT, *words], cwd=source, check=True, timeout=20)
    write(source, {"Pulumi.deployment.yaml": "config: {subnet: 10.9.9.0/24}\n", "Pulumi.new.yaml": "config: {a: b}\n"})
    suite.copy(source, tmp_path / "copy")
    found = held(tmp_path / "copy")
    assert (found["Pulumi.deployment.yaml"], found["Pulumi.new.yaml"]) == ("config: {}\n", "config: {a: b}\n")


def test_without_git_the_copy_leaves_out_what_is_the_persons(source: Path, tmp_path: Path) -> None:
    """From an unpacked archive: all but state, packages, runs and caches."""
    write(source, {"infra/__pycache__/plan.pyc": "x", "labs/runs/kept": "a folder's name alone decides nothing"})
    suite.copy(source, tmp_path / "copy")
    assert set(held(tmp_path / "copy")) == {"lab", "infra/plan.py", "gone", ".gitignore", "labs/runs/kept"}


def test_the_copys_python_finds_the_copy_and_all_packages(tmp_path: Path) -> None:
    """In a path with a space, and for a copy's copy: nothing is installed."""
    between, copy = tmp_path / "first", tmp_path / "a copy"
    for folder in (between, copy):
        write(folder, {"infra/__init__.py": "", "labkit/__init__.py": "HERE = 1"})
    suite.make_venv(ROOT, between)
    suite.make_venv(between, copy)
    program = "import labkit, pytest, pulumi, sys; print(labkit.HERE, labkit.__file__, sys.prefix)"
    python = copy / ".venv" / "bin" / "python"
    told = subprocess.check_output(
        [python, "-P", "-c", program], cwd="/", text=True, timeout=60, encoding="utf-8"
    ).strip()
    assert told == f"1 {copy / 'labkit' / '__init__.py'} {copy / '.venv'}"
    subprocess.run(
        [copy / ".venv" / "bin" / "ansible-config", "--version"], check=True, timeout=60, capture_output=True
    )
    assert (copy / ".venv" / "checkout").read_text(encoding="utf-8") == f"{copy}\n"
    first, own = ROOT / ".venv" / "requirements.stamp", copy / ".venv" / "requirements.stamp"
    assert own.read_bytes() == first.read_bytes()


def test_the_tests_get_nothing_that_leads_to_a_persons_lab() -> None:
    """After eval "$(./lab env)", or from a git hook."""
    person = {"PULUMI_BACKEND_URL": "file:///home/me", "GIT_DIR": "/home/me/.git", "HOME": "/home/me", "TMPDIR": "/x"}
    found = suite.environment(person, SOURCE, PLACE)
    assert found["HOME"] == "/home/me"
    assert found[suite_processes.CHECKOUT] == str(PLACE.checkout)
    assert not {"PULUMI_BACKEND_URL", "GIT_DIR"} & set(found)
    assert found["TMPDIR"] != "/x"


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        (["tests/unit", "-k", "plan"], ["tests/unit", "-k", "plan"]),
        (["--junitxml=out/a.xml"], ["--junitxml=/home/me/out/a.xml"]),
        (["--junit-xml", "a.xml"], ["--junit-xml", "/home/me/a.xml"]),
        (["--log-file=/var/log/a"], ["--log-file=/var/log/a"]),
        ([f"{SOURCE}/tests/unit/test_a.py::test_b"], [f"{PLACE.checkout}/tests/unit/test_a.py::test_b"]),
        (["/elsewhere/test_a.py"], ["/elsewhere/test_a.py"]),
        (["--durations=0", "-m", "not engine"], ["--durations=0", "-m", "not engine"]),
    ],
)
def test_what_is_typed_for_pytest_means_the_same_in_the_copy(given: list[str], passed: list[str]) -> None:
    """Results go to the person's folder; tests are those of the copy."""
    assert suite.arguments(given, PERSON, SOURCE, PLACE) == ["-o", f"cache_dir={SOURCE}/.pytest_cache", *passed]


def test_only_what_the_tests_have_started_is_ended() -> None:
    """Also what runs in a copy inside the tests' temporary files; not what the person runs beside."""

    def process(pid: int, **environment: str) -> Process:
        return Process(pid, 1, 1, ("pulumi", str(PLACE.checkout)), environment)

    roots = (PLACE.root, Path("/tmp/vvc-test-a"))
    name = suite_processes.CHECKOUT
    found = [
        process(1, **{name: str(PLACE.checkout)}),
        process(2, **{name: "/tmp/vvc-test-a/clone/.state/test/checkout"}),
        process(3, **{name: "/tmp/vvc-test-ab/checkout"}),
        process(4, PULUMI_BACKEND_URL=f"file://{SOURCE}/.state/pulumi"),
        process(5, **{name: str(PLACE.checkout)}),
    ]
    assert [one.pid for one in suite_processes.of_tests(found, roots, me=5)] == [1, 2]


def test_what_set_up_starts_for_the_tests_outlives_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The private engine may be everybody's; what the tests start after it is theirs again."""
    show = [sys.executable, "-c", f"import os; print(os.environ.get('{suite_processes.CHECKOUT}', ''))"]
    monkeypatch.setenv(suite_processes.CHECKOUT, "/copy")
    with suite_processes.outliving():
        assert subprocess.run(show, capture_output=True, text=True, check=True, timeout=60).stdout == "\n"
    assert subprocess.run(show, capture_output=True, text=True, check=True, timeout=60).stdout == "/copy\n"


def test_labs_of_checkouts_that_tests_have_made_are_known(tmp_path: Path) -> None:
    """The copy's own id, and those of clones among the temporary files, the suite's own copies inside them too."""
    place, temporary = Copy(tmp_path / "test"), tmp_path / "temporary"
    place.root.mkdir()
    place.temporary.symlink_to(temporary)
    clone = temporary / "pytest-of-me" / "pytest-0" / "test_a0" / "clone"
    for folder in (clone, clone / ".state" / "test" / "checkout", clone / ".venv" / "not one"):
        write(folder, {"lab": "", "infra/plan.py": ""})
    assert suite.checkouts(place) == [place.checkout, clone, clone / ".state" / "test" / "checkout"]


def test_what_a_test_makes_beside_the_labs_is_another_checkouts_and_goes_with_the_suite(tmp_path: Path) -> None:
    """./lab clean, typed by a test that runs meanwhile, leaves it be."""
    place, temporary = Copy(tmp_path / "test"), tmp_path / "temporary"
    (guest := temporary / "a guest0").mkdir(parents=True)
    place.root.mkdir()
    place.temporary.symlink_to(temporary)
    labels = another_checkout.labels_of(guest, "tests-playbooks")
    assert labels[plan.CHECKOUT_LABEL] != identify(ROOT).id
    assert labels[plan.CHECKOUT_LABEL] in {identify(one).id for one in suite.checkouts(place)}


def test_a_place_is_made_and_removed_without_a_trace(tmp_path: Path) -> None:
    """Of this checkout, as ./lab test makes it: it has an id of its own, and its launcher takes it for finished."""
    place = Copy(tmp_path / "test")
    suite.make(ROOT, place)
    temporary = place.temporary.resolve()
    try:
        assert temporary.is_dir()
        assert identify(place.checkout).id != identify(ROOT).id
        done = subprocess.run(
            [place.checkout / "lab", "--help"], capture_output=True, text=True, timeout=60, check=True, encoding="utf-8"
        )
        assert not done.stderr
    finally:
        suite.remove(place, None, Quiet())
    assert not place.root.exists()
    assert not temporary.exists()


SLOW = """
import sys, time
from labkit.lifecycle.suite_processes import interrupt_once
interrupt_once()
try:
    print("ready", flush=True)
    time.sleep(60)
finally:
    time.sleep(0.5)
    print("torn down", flush=True)
"""
OUTER = """
import os, signal, sys
from contextlib import ExitStack
from pathlib import Path
from labkit.lifecycle.suite_processes import follow
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run below nohup
try:
    follow([sys.executable, "-P", "-c", sys.argv[1]], Path("/"), dict, {})
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("how", ["terminal", "INT", "TERM", "HUP"])
def test_an_interruption_lets_the_tests_come_to_their_orderly_end(how: str) -> None:
    """By Ctrl-C, which all processes get, or a signal to ./lab alone: what is undone is undone once, and to its end."""
    words = [sys.executable, "-P", "-c", OUTER, SLOW]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if how == "terminal":
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(getattr(signal, f"SIG{how}"))
        told, _ = process.communicate(timeout=30)
    assert told == "torn down\n"
    assert process.returncode == 130


def test_a_killed_lab_test_takes_its_tests_along() -> None:
    """By the kernel: nobody is left who could."""
    words = [sys.executable, "-P", "-c", OUTER, SLOW]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait(20)
        assert until(lambda: process.stdout is not None and process.stdout.read() == "", 20)


def test_a_second_lab_test_waits_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what a killed one has left is not taken for left while one is at work."""
    state = tmp_path / ".state"
    monkeypatch.setattr(suite, "STATE", state)
    monkeypatch.setattr(suite, "PLACE", Copy(state / "test"))
    told: list[str] = []

    class Report(Quiet):
        def line(self, text: str) -> None:
            told.append(text)
            first.close()

    with ExitStack() as first:
        first.enter_context(suite.only_one(Quiet()))
        suite.PLACE.root.mkdir()
        assert not suite.is_left()
        with suite.only_one(Report()):
            assert told == ["Waiting for another ./lab test of this checkout to end."]
    assert suite.is_left()
