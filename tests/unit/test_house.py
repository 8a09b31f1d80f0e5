"""The house's rules: arrows point one way, side knowledge has its place, files stay short."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from infra import sides
from tests.unit.sources import parsed

ROOT = Path(__file__).parents[2]
SOURCES = [
    file for room in ("infra", "bench", "labkit", "labs", "service") for file in sorted((ROOT / room).rglob("*.py"))
]
PURE = {
    "infra.domain",
    "infra.keys",
    "infra.names",
    "infra.outputs",
    "infra.plan",
    "infra.reach",
    "infra.settings",
    "infra.sides",
    "infra.topology",
    *(f"infra.topologies.{file.stem}" for file in (ROOT / "infra" / "topologies").glob("[!_]*.py")),
}
REACHES = {"infra/reach.py", "labkit/sides/container.py"}
"""The words that reach into a server; and those into a container in it, by the server's own engine."""
SIDE_ROOMS = {f"{room}/{side}.py" for room in ("infra/stacks", "labkit/sides") for side in sides.NAMES}


@cache
def imports(file: Path) -> set[str]:
    """Modules that a file imports, as dotted names."""
    found: set[str] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def test_infra_knows_neither_labkit_nor_labs() -> None:
    """Arrows: bench, labs -> labkit -> infra."""
    wrong = {
        str(file.relative_to(ROOT)): names
        for file in SOURCES
        if file.is_relative_to(ROOT / "infra")
        and (names := {name for name in imports(file) if name.split(".")[0] in ("bench", "labkit", "labs")})
    }
    assert not wrong


def test_labkit_reaches_labs_through_one_seam_only() -> None:
    """No lab is imported by name: labkit.measure.labs.load finds them."""
    wrong = {
        str(file.relative_to(ROOT)): names
        for file in SOURCES
        if file.is_relative_to(ROOT / "labkit") and (names := {n for n in imports(file) if n.split(".")[0] == "labs"})
    }
    assert not wrong


@pytest.mark.parametrize("module", sorted(PURE))
def test_what_decides_is_pure(module: str) -> None:
    """No module that could do I/O is imported."""
    names = {name.split(".")[0] for name in imports(ROOT / (module.replace(".", "/") + ".py"))}
    assert not names & {"os", "pathlib", "subprocess", "socket", "pulumi", "docker", "requests"}


def test_imports_point_down_only() -> None:
    """The floors of pyproject.toml's contract: door, bench, guide, report and labs, measure, … down to infra."""
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True) == 0


def test_what_is_a_packages_own_is_imported_there_only() -> None:
    """A module named _x is its package's; all others are the package's face."""
    wrong = {
        str(file.relative_to(ROOT)): names
        for file in [*SOURCES, *sorted((ROOT / "docs").rglob("*.py"))]
        if (names := {name for name in imports(file) if not _may_import(file, name)})
    }
    assert not wrong


def _may_import(file: Path, name: str) -> bool:
    parts = name.split(".")
    own = [index for index, part in enumerate(parts) if part.startswith("_") and not part.startswith("__")]
    if parts[0] not in ("bench", "labkit", "labs", "infra", "bench") or not own:
        return True
    return file.is_relative_to(ROOT.joinpath(*parts[: own[0]]))


def test_side_knowledge_stays_in_its_rooms() -> None:
    """Nobody else compares anything with "vm" or "container"."""
    compare = re.compile(r"""[!=]=\s*["'](vm|container)["']|["'](vm|container)["']\s*[!=]=""")
    wrong = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in SOURCES
        if str(file.relative_to(ROOT)) not in SIDE_ROOMS
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if compare.search(line)
    ]
    assert not wrong


def test_one_module_alone_has_the_words_that_reach_into_a_server() -> None:
    """Whoever wants something done there asks its reach, which need not be an engine's for ever."""
    wrong = {
        str(file.relative_to(ROOT)): words
        for file in SOURCES
        if str(file.relative_to(ROOT)) not in REACHES and (words := _reaching(file))
    }
    assert not wrong
    assert all(_reaching(ROOT / file) for file in REACHES)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('["docker", "--host", host, "exec", "-i", name]', True),
        ('["docker", "cp", file, name]', True),
        ('("docker", "container", "exec")', True),
        ('words = [*docker, "exec", name]', True),
        ('words += ["exec", name, *command]', True),
        ('container.exec_run(["true"])', True),
        ('words = f"docker exec {name} cat x"', True),
        ('"docker exec is said of one here"', False),
        ('["docker", "--host", host, "run", image]', False),
        ('["cp", source, target]', False),
        ('"docker ps -a"', False),
        ('verbs.command("exec")', False),
    ],
)
def test_such_words_are_known_however_they_are_written(tmp_path: Path, line: str, found: bool) -> None:
    """In one list or in two, in a text, or by the engine's client."""
    file = tmp_path / "one.py"
    file.write_text(line, encoding="utf-8")
    assert bool(_reaching(file)) == found


_IN_TEXT = re.compile(r"\bdocker (-\S+ )*(exec|cp)\b")
_BY_CLIENT = {"exec_run", "exec_create", "put_archive", "get_archive"}


def _reaching(file: Path) -> list[str]:
    """What in a file looks like a way into a container of a Docker Engine; its docstrings may speak of one."""
    tree = parsed(file)
    told = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [ast.unparse(node) for node in ast.walk(tree) if node not in told and _reaches(node)]


def _reaches(node: ast.AST) -> bool:
    if isinstance(node, ast.List | ast.Tuple):
        texts = [getattr(one, "value", None) for one in node.elts]
        return "exec" in texts or ("cp" in texts and "docker" in ast.unparse(node).lower())
    if isinstance(node, ast.Attribute):
        return node.attr in _BY_CLIENT
    return isinstance(node, ast.Constant) and _IN_TEXT.search(str(node.value)) is not None


def test_no_file_grows_past_400_lines() -> None:
    """It wants to be two."""
    long = {
        str(file.relative_to(ROOT)): n
        for file in SOURCES
        if (n := len(file.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
