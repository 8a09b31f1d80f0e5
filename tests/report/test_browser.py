"""The pages in a real browser: nothing fetched, a silent console, readable by all, at every width and on paper."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has no marker for it
from playwright.sync_api import Browser, Page, sync_playwright

from infra import sides
from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.report import article, compare, html, merge, streams
from labkit.report.article import Held, LeftOut
from labkit.setup.packages import PACKAGES
from labkit.system import stack_files
from labkit.system.root import which
from labs.failover import figures
from labs.networking.lab import LAB
from tests.unit import arms, judged, recorded, runs
from tests.unit import test_failover_figures as outages

pytestmark = pytest.mark.engine

SCHEMES = ("light", "dark")
WIDTHS = (360, 400, 768, 800, 1280, 1600)
PAGES = ("report", "compare", "merge", "article", "arms", "pictures")
_LOADED_MS = 120_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of page, made once."""
    made = tmp_path_factory.mktemp("pages")
    run = runs.run()
    rows = judged.rows(run)
    runs.samples(run, made / "samples.jsonl", seconds=12)
    wanted = [repeat.stream for experiment in run.experiments for repeat in experiment.repeats if repeat.stream]
    drawn = streams.read(made / "samples.jsonl", wanted)
    (made / "report.html").write_text(
        html.page(run, rows, drawn, digest="ab" * 32, labs=["deployment"]), encoding="utf-8"
    )
    other = dataclasses.replace(run, id="other", machine={**run.machine, "cpus": 8}, settings={"accelerator": "kvm"})
    older = dataclasses.replace(run, id="older", started="2026-11-23T15:01:02+01:00", machine=other.machine)
    entries = [merge.Entry(f"student-{n}", one, judged.rows(one)) for n, one in enumerate((run, other, run))]
    (made / "merge.html").write_text(
        merge.page(entries, [LeftOut("student-9", "run.json is cut")], place="class"), encoding="utf-8"
    )
    paths = recorded.run("bridged", "nat", "published", "address", "host")
    held = [Held("runs/deployment/1", run), Held("runs/deployment/2", older), Held("runs/networking/3", paths)]
    table = article.table([labs.load(name) for name in stack_files.names()], held, [LeftOut("runs/x", "it is cut")])
    (made / "article.html").write_text(html.article(table), encoding="utf-8")
    (made / "compare.html").write_text(
        compare.page(table.judged, [(other, judged.rows(other))], [table.verdicts, table.verdicts]), encoding="utf-8"
    )
    own = [figure(paths, ()) for figure in LAB.figures.values()]
    # A table with as many columns as a lab has any.
    own.append(figures.outages(outages.run(outages.repeat("vm", 1), outages.repeat("container", 1)), ()))
    (made / "pictures.html").write_text(html.page(paths, judge(paths, LAB.claims), own=own), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cast(dict[str, Any], sides.KINDS), arms.TOY, arms.KINDS_OF_THREE[arms.TOY])
        many = arms.run()
        runs.samples(many, made / "samples.jsonl", seconds=12)
        wanted = [repeat.stream for experiment in many.experiments for repeat in experiment.repeats if repeat.stream]
        drawn = streams.read(made / "samples.jsonl", wanted)
        (made / "arms.html").write_text(html.page(many, judge(many, arms.CLAIMS), drawn), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Debian's Chromium, which `./lab test` installs. What its libraries keep of a person goes with the tests."""
    program = next(package.program for package in PACKAGES if package.name == "chromium")
    with sync_playwright() as playwright:
        home = {name: str(tmp_path_factory.mktemp("home")) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
        # Root may not use Chromium's own sandbox; it opens nothing but files of ours.
        one = playwright.chromium.launch(
            executable_path=which(program), args=["--no-sandbox"], env={**os.environ, **home}, timeout=_LOADED_MS
        )
        try:
            yield one
        finally:
            one.close()


@dataclasses.dataclass
class Opened:
    """A page and what happened while it was opened."""

    page: Page
    said: list[str]
    fetched: list[str]


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    """The reader's theme."""
    return str(request.param)


@pytest.fixture(params=PAGES)
def kind(request: pytest.FixtureRequest) -> str:
    """Which page."""
    return str(request.param)


@pytest.fixture
def opened(browser: Browser, folder: Path, scheme: Literal["light", "dark"], kind: str) -> Iterator[Opened]:
    """Each page in each theme."""
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1000, "height": 900})
    said: list[str] = []
    fetched: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda asked: fetched.append(asked.url))
    try:
        page.goto((folder / f"{kind}.html").as_uri(), timeout=_LOADED_MS)
        yield Opened(page, said, fetched)
    finally:
        page.close()


def test_nothing_is_fetched_and_the_console_is_silent(opened: Opened) -> None:
    """One request: the file itself (and the empty icon within it)."""
    assert opened.said == []
    assert [url for url in opened.fetched if not url.startswith("data:")] == [opened.page.url]


def test_everybody_can_read_it(opened: Opened) -> None:
    """axe finds no violation, contrast included, with everything unfolded."""
    opened.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    found = Axe().run(opened.page)
    told = [(one["id"], one["nodes"][0]["target"]) for one in found.response["violations"]]
    assert told == []


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out(opened: Opened, width: int) -> None:
    """No sideways scrolling, and no text beyond the edge, from a phone's width to a wide screen's."""
    opened.page.set_viewport_size({"width": width, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = """(width) => [...document.querySelectorAll('main p, main h2, main td, main th, main svg, main pre')]
        .filter(one => !one.closest('.hidden, details, thead') && one.getBoundingClientRect().right > width + 1)
        .map(one => one.outerHTML.slice(0, 120))"""
    assert opened.page.evaluate(wide, width) == []


def test_it_prints_to_a4(opened: Opened) -> None:
    """As a PDF of portrait A4 pages, whatever the theme of the screen."""
    paper = opened.page.pdf(prefer_css_page_size=True)
    assert paper.startswith(b"%PDF")
    a4 = (b"/MediaBox [0 0 594.95996 841.91998]", b"/MediaBox [0 0 595 842]", b"/MediaBox [0 0 595.91998 842.88]")
    assert any(box in paper for box in a4), paper[paper.index(b"/MediaBox") :][:60]
    opened.page.emulate_media(media="print")
    assert opened.page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')") == "#fff"


def test_themes_differ(opened: Opened) -> None:
    """The page follows the reader's theme."""
    dark = opened.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    paper = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(20, 22, 26)") is dark
