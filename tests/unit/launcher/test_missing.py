"""./lab where something that it needs is missing: what it asks for, what it takes instead."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from labkit.setup.offline import _archive, _wheels
from tests.unit.launcher.launching import FOLDERS, NOWHERE, ROOT, lab, with_pip

pytestmark = pytest.mark.timeout(300)


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
