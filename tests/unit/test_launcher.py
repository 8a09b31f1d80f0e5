"""./lab itself, in a copy with tiny requirements: where it may lie, what it repairs, when it asks."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import pytest

from infra import environment
from labkit.setup.offline import _archive, _wheels
from tests.pace import slower

Test = TypeVar("Test", bound=Callable[..., None])

ROOT = Path(__file__).parents[2]
FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
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

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pip() -> None:
    """A test that asks for it makes real .venvs, pip and all."""


def with_pip(test: Test) -> Test:
    """It makes a real .venv: seconds for each, where most need to see only that one is made."""
    return pytest.mark.slow(pytest.mark.usefixtures("pip")(test))  # type: ignore[no-any-return]


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


def lab(
    program: Path, *arguments: str, cwd: Path = Path("/"), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ./lab without a terminal."""
    path = f"{program.parent.parent / 'python'}:{FOLDERS}"
    return subprocess.run(
        [str(program), *arguments],
        cwd=cwd,
        env={"PATH": path, "HOME": "/nonexistent"} | dict(env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        encoding="utf-8",
    )


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
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}
    failed = lab(checkout / "lab", "x", env=nowhere)
    assert failed.returncode == 1
    assert "✗ The Python package index cannot be reached." in failed.stderr
    log = Path(failed.stderr.rpartition("Log: ")[2].strip())
    assert log.is_relative_to(checkout / ".state" / "logs")
    assert "no-such-thing" in log.read_text(encoding="utf-8")


def wheel(folder: Path) -> Path:
    """A package without dependencies, as small as can be."""
    file = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("tiny.py", "ANSWER = 42\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        archive.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "tiny.py,,\n")
    return file


@pytest.fixture
def class_file(checkout: Path, tmp_path: Path) -> Path:
    """A class file with the one wheel that the copy's requirements name; the copy knows how to read it."""
    names = (
        "system/__init__.py",
        "system/errors.py",
        "system/files.py",
        "system/outcome.py",
        "system/endings.py",
        "setup/__init__.py",
        "setup/offline/__init__.py",
        "setup/offline/_archive.py",
        "setup/offline/_wheels.py",
        "setup/offline/launcher.py",
    )
    for name in names:
        (checkout / "labkit" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "labkit" / name, checkout / "labkit" / name)
    shutil.copy(ROOT / "infra" / "telling.py", checkout / "infra")
    (tmp_path / "built").mkdir()
    built = wheel(tmp_path / "built")
    (checkout / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    listed = tmp_path / "built" / "requirements.txt"
    listed.write_text(f"tiny==1.0 --hash=sha256:{_archive.digest(built)}\n", encoding="utf-8")
    folder = f"wheels/{_wheels.folder(checkout, tmp_path).name}"
    sources = {f"{folder}/{file.name}": file for file in (built, listed)}
    parts = tuple(_archive.part(file, path) for path, file in sources.items())
    manifest = _archive.Manifest(_wheels.made_for(checkout), parts)
    _archive.write(tmp_path / "class.vvc", manifest, sources, lambda _: None)
    return tmp_path / "class.vvc"


NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_RETRIES": "0"}


@with_pip
def test_a_class_file_stands_in_for_the_package_index(checkout: Path, class_file: Path, tmp_path: Path) -> None:
    """Given once; a .venv that is made anew later takes the wheels from the cache."""
    env = {**NOWHERE, "VVC_CACHE": str(tmp_path / "cache")}
    for words in (["setup", "--import", str(class_file)], ["status"]):
        done = lab(checkout / "lab", *words, env=env)
        assert done.returncode == 0, done.stderr
        python = checkout / ".venv" / "bin" / "python"
        told = subprocess.check_output([python, "-c", "import tiny; print(tiny.ANSWER)"], text=True, encoding="utf-8")
        assert told == "42\n"
        (checkout / ".venv" / "checkout").unlink()
    without = lab(checkout / "lab", "status", env={**env, "VVC_CACHE": str(tmp_path / "other")})
    assert "The Python package index cannot be reached." in without.stderr


def test_a_class_file_that_is_cut_short_is_refused_before_venv_is_made(
    checkout: Path, class_file: Path, tmp_path: Path
) -> None:
    """With its own message; nothing of it is kept."""
    class_file.write_bytes(class_file.read_bytes()[:-40])
    done = lab(
        checkout / "lab", "setup", f"--import={class_file}", env={**NOWHERE, "VVC_CACHE": str(tmp_path / "cache")}
    )
    assert done.returncode == 1
    assert "is damaged or cut short" in done.stderr
    assert "Making .venv" not in done.stderr
    assert not list((tmp_path / "cache").rglob("*.whl"))


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of programs as on a bare Debian: no Python; apt-get and sudo note how they were called."""
    folder = tmp_path / "bare"
    folder.mkdir()
    for name in (
        "sh",
        "env",
        "mkdir",
        "date",
        "sleep",
        "cat",
        "cmp",
        "cp",
        "rm",
        "tail",
        "grep",
        "readlink",
        "id",
        "cut",
        "sed",
    ):
        (folder / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    apt = folder / "apt-get"
    apt.write_text(f'#!/bin/sh\necho "$@" >>"{tmp_path}/calls"\n', encoding="utf-8")
    apt.chmod(0o755)
    (folder / "sudo").write_text('#!/bin/sh\nwhile [ "$1" = -n ]; do shift; done\nexec "$@"\n', encoding="utf-8")
    (folder / "sudo").chmod(0o755)
    return folder


def test_without_python_it_names_the_command_and_installs_nothing(checkout: Path, bare: Path, tmp_path: Path) -> None:
    """No terminal, no --yes."""
    refused = lab(checkout / "lab", "status", env={"PATH": str(bare)})
    assert refused.returncode == 1
    assert "Python 3.11 or newer with the modules venv and ensurepip is missing" in refused.stderr
    assert "apt-get install --no-install-recommends python3 python3-venv" in refused.stderr
    assert not (tmp_path / "calls").exists()


def test_a_broken_source_is_passed_by_and_apt_gets_the_proxy(
    checkout: Path, bare: Path, tmp_path: Path, python_on_path: Path
) -> None:
    """A foreign one, say; under its lower-case name, also where the person has the other."""
    link = f'ln -sf "{python_on_path}/python3" "{bare}/python3"'
    (bare / "apt-get").write_text(
        f'#!/bin/sh\ncase "$*" in *update) echo "E: The repository \'https://foreign x\' is not signed."; exit 100 ;;\n'
        f'esac\necho "$http_proxy $(umask)" >"{tmp_path}/got"\n{link}\n', encoding="utf-8"
    )  # fmt: skip
    (bare / "ln").symlink_to("/bin/ln")
    environment = {"PATH": str(bare), "HTTP_PROXY": "http://127.0.0.1:3128"}
    before = os.umask(0o077)
    try:
        done = lab(checkout / "lab", "up", "--yes", env=environment)
    finally:
        os.umask(before)
    assert done.returncode == 0, done.stderr
    assert "https://foreign x' is not signed" in done.stderr
    assert (tmp_path / "got").read_text(encoding="utf-8") == "http://127.0.0.1:3128 0022\n"


def test_an_interrupted_dpkg_has_its_own_next_step(checkout: Path, bare: Path) -> None:
    (bare / "apt-get").write_text(
        "#!/bin/sh\necho \"E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a'\"\nexit 100\n",
        encoding="utf-8",
    )
    failed = lab(checkout / "lab", "up", "--yes", env={"PATH": str(bare)})
    assert failed.returncode == 1
    assert "Next: sudo dpkg --configure -a" in failed.stderr


@pytest.mark.parametrize(
    ("given", "trusted"),
    [
        ({"SSL_CERT_FILE": "OWN"}, "OWN"),
        ({"CURL_CA_BUNDLE": "OWN"}, "OWN"),
        ({"SSL_CERT_FILE": "OWN", "REQUESTS_CA_BUNDLE": "/other"}, "/other"),
        ({"SSL_CERT_FILE": "OWN", "PIP_CERT": "/other"}, ""),
    ],
)
def test_pip_trusts_what_the_machine_trusts(tmp_path: Path, given: Mapping[str, str], trusted: str) -> None:
    """Not only the certificates that pip brings; what the person says to pip itself comes first."""
    own = tmp_path / "own.pem"
    own.touch()
    text = (ROOT / "lab").read_text(encoding="utf-8")
    function = text[text.index("trust() {") : text.index("find_python() {")]
    environment = {name: value.replace("OWN", str(own)) for name, value in given.items()}
    done = subprocess.run(
        ["sh", "-euc", f'{function}\ntrust; echo "${{REQUESTS_CA_BUNDLE-}}"'],
        env={"PATH": FOLDERS, **environment}, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert done.stdout.strip() == trusted.replace("OWN", str(own))


def test_yes_installs_python(checkout: Path, bare: Path, tmp_path: Path, python_on_path: Path) -> None:
    """--yes anywhere in the arguments; then it goes on by itself."""
    apt = bare / "apt-get"
    link = f'ln -sf "{python_on_path}/python3" "{bare}/python3"'
    apt.write_text(f'{apt.read_text(encoding="utf-8")}case "$*" in *install*) {link} ;; esac\n', encoding="utf-8")
    (bare / "ln").symlink_to("/bin/ln")
    done = lab(checkout / "lab", "up", "deployment", "--yes", env={"PATH": str(bare)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("['up', 'deployment', '--yes']")
    update, install = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert update.endswith("update")
    assert install.endswith("install -y --no-install-recommends python3 python3-venv")


def test_vvc_yes_is_a_yes_and_an_apt_that_fails_is_said(checkout: Path, bare: Path) -> None:
    """VVC_YES=1 answers as well."""
    (bare / "apt-get").write_text("#!/bin/sh\necho Temporary failure resolving\nexit 100\n", encoding="utf-8")
    failed = lab(checkout / "lab", "up", env={"PATH": str(bare), "VVC_YES": "1"})
    assert failed.returncode == 1
    assert "✗ Python could not be installed." in failed.stderr
    assert "Temporary failure" in Path(failed.stderr.rpartition("Log: ")[2].strip()).read_text(encoding="utf-8")


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
