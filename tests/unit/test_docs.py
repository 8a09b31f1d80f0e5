"""The pages: built without a warning and without the network, from what the program itself reads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.topologies import TOPOLOGIES
from labkit import cli
from labkit.measure import labs
from labkit.system import stack_files

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"


def test_the_setting_that_the_house_follows_is_where_it_says() -> None:
    """Each file of that table is there and speaks of it."""
    page = (ROOT / "docs/explanation/house.md").read_text(encoding="utf-8")
    section = page.partition("followed: `memory_mib`")[2].partition("\n## ")[0]
    files = re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)
    assert len(files) > 5
    assert [name for name in files if "memory_mib" not in (ROOT / name).read_text(encoding="utf-8")] == []


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages."""
    out = tmp_path_factory.mktemp("pages")
    words = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "--builder", "html"]
    done = subprocess.run(
        [*words, "--doctree-dir", str(out / "doctrees"), str(ROOT / "docs"), str(out / "html")],
        cwd=ROOT,
        env={**os.environ, "http_proxy": NOWHERE, "https_proxy": NOWHERE},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return out / "html"


def text(file: Path) -> str:
    """A page's words."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", file.read_text(encoding="utf-8")))


@pytest.mark.timeout(400)
@pytest.mark.slow
def test_they_are_built_without_a_warning_and_load_nothing_from_elsewhere(pages: Path) -> None:
    """No script, style, font or picture of another host."""
    loaded = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*(?:src|href)=["'](?:https?:)?//""")
    wrong = [file.name for file in pages.rglob("*.html") if loaded.search(file.read_text(encoding="utf-8"))]
    assert not wrong
    assert not re.search(
        r"url\(\s*[\"']?(?:https?:)?//", (pages / "_static" / "styles" / "furo.css").read_text(encoding="utf-8")
    )


@pytest.mark.slow
def test_the_tutorial_is_the_guide(pages: Path) -> None:
    """With its picture drawn, its checks named, and its links leading to pages."""
    html = (pages / "tutorial" / "deployment.html").read_text(encoding="utf-8")
    assert "<svg" in html
    assert "the guest&#39;s own kernel" in html or "the guest's own kernel" in html
    assert "Checked by" in html
    assert 'href="../reference/guest.html"' in html


@pytest.mark.slow
def test_references_name_what_the_program_knows(pages: Path) -> None:
    """Every command, configuration key, topology, fault, metric and claim."""
    commands = text(pages / "reference" / "cli.html")
    assert [name for name in cli.lab.commands if f"./lab {name}" not in commands] == []
    keys = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    configuration = text(pages / "reference" / "configuration.html")
    assert [key for key in keys if key not in configuration] == []
    topologies = text(pages / "reference" / "topologies.html")
    assert [one.name for one in TOPOLOGIES.values() if one.name not in topologies] == []
    assert [key.name for one in TOPOLOGIES.values() for key in one.keys if key.name not in topologies] == []
    faults = text(pages / "reference" / "faults.html").replace("\u2019", "'")
    every = [fault for lab in stack_files.names() for fault in labs.load(lab).faults]
    assert [fault.name for fault in every if fault.name not in faults or fault.what not in faults] == []
    claims = text(pages / "reference" / "claims.html")
    assert [one.name for _, one in labs.metrics() if one.name not in claims] == []
