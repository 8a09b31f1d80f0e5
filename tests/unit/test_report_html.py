"""The page of one run: everything is there, nothing gets out, nothing gets in."""

from __future__ import annotations

import dataclasses
import html as markup
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from labkit.report import as_text, html, quantities, streams
from labkit.runs.records import Run
from tests.unit import judged, runs


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """Its text, white space made one."""
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The example run."""
    return runs.run()


@pytest.fixture(scope="module")
def source(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its page, streams included."""
    file = tmp_path_factory.mktemp("run") / "samples.jsonl"
    runs.samples(run, file)
    wanted = [repeat.stream for experiment in run.experiments for repeat in experiment.repeats if repeat.stream]
    return html.page(run, judged.rows(run), streams.read(file, wanted), digest="ab" * 32)


@pytest.fixture(scope="module")
def page(source: str) -> Page:
    """The same, parsed."""
    return Page(source)


def test_every_row_and_verdict_is_there(run: Run, page: Page) -> None:
    """Nine rows with what the article says of each side, and every kind of verdict."""
    for row in judged.rows(run):
        assert all(words in page.text for words in (row.name, row.of_vms, row.of_containers))
    assert all(verdict in page.text for verdict in judged.VERDICTS)


def test_every_part_tells_its_claim_and_reason(run: Run, page: Page) -> None:
    """Text, reason, mechanism and what was predicted of it."""
    for part in (part for row in judged.rows(run) for part in row.parts):
        assert part.claim.text in page.text
        assert part.claim.because[1:] in page.text
    assert "a surprise" in page.text
    assert "as predicted" in page.text


def test_every_experiment_and_its_trouble_is_there(run: Run, page: Page) -> None:
    """Questions, states, problems, marks and failed repeats."""
    for experiment in run.experiments:
        assert experiment.question in page.text
        assert experiment.problem in page.text
        for repeat in experiment.repeats:
            assert repeat.problem in page.text
            assert all(mark in page.text for mark in repeat.marks)


def test_it_says_how_it_was_made(run: Run, page: Page) -> None:
    """Run, commit, digest, commands, machine, definitions and worked examples, and what is not ours."""
    assert all(words in page.text for words in (run.id, run.commit, "ab" * 32, "./lab run deployment"))
    told = [as_text.told(value, quantities.unit_of(name)) for name, value in run.machine.items()]
    assert all(" ".join(words.split()) in page.text for words in told)
    assert judged.START.definition in page.text
    assert "ready_s = 12.5 gives 12.5 s" in page.text
    assert "Firecracker, NSDI 2020" in page.text
    assert "not ours" in page.text


def test_what_was_seen_is_told_in_a_persons_words() -> None:
    """A number with its unit, yes and no; what is a name, as a kernel's file, stays as it is."""
    seen = {"longest_s": 20.232, "it is another": True, "release_agent": "stopped", "n": 3}
    told = [("longest", "20.2\u00a0s"), ("it is another", "yes"), ("release_agent", "stopped"), ("n", "3")]
    assert as_text.evidence(seen) == told


def test_what_is_too_long_for_a_cell_is_cut_and_says_so() -> None:
    """A kernel's words are long, and many: some of them tell which they are."""
    line = "oom-kill:" + "x" * 500
    assert as_text.told(["a", "b"]) == "a, b"
    assert as_text.told([]) == "none"
    told = as_text.told([line] * 20)
    assert told.startswith("oom-kill:x")
    assert told.endswith("…, and 19 more, told by ./lab report --json")
    assert len(told) < 300
    assert as_text.told(["word"] * 100).endswith(" more, told by ./lab report --json")


@pytest.mark.parametrize(("accelerator", "shown"), [("tcg", True), ("kvm", False)])
def test_an_emulated_cpu_is_told(run: Run, accelerator: str, *, shown: bool) -> None:
    """The banner stands where there was no KVM, and only there."""
    other = dataclasses.replace(run, settings={**run.settings, "accelerator": accelerator}, experiments=())
    assert ("EMULATED CPU (TCG)" in html.page(other, judged.rows(other))) is shown


def test_every_repeat_is_a_point(run: Run, source: str) -> None:
    """Counted, warm-up and marked repeats alike: as many marks as repeats with a value."""
    experiment = run.experiment("start")
    assert experiment is not None
    figure = re.search(r'<svg role="img" aria-label="start: .*?</svg>', source, re.DOTALL)
    assert figure is not None
    drawn = re.findall(r'class="mark-symbol role-mark[^"]*"[^>]*>(.*?)</g>', figure.group(), re.DOTALL)
    with_value = [one for one in experiment.repeats if one.action == "start" and not one.problem]
    assert sum(group.count("<path") for group in drawn) == len(with_value)


def test_nothing_is_fetched_and_nothing_runs(page: Page) -> None:
    """No script, no handler, no address but anchors within the page."""
    assert not {"script", "iframe", "object", "embed", "img"} & {tag for tag, _ in page.tags}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:,")), (tag, attributes)


def test_the_style_names_no_address(source: str) -> None:
    """No font, image or sheet from elsewhere."""
    style = source[source.index("<style>") : source.index("</style>")]
    assert "@import" not in style
    assert "url(" not in style


def test_ids_are_unique(page: Page) -> None:
    """Plots do not share names."""
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_hostile_text_stays_text() -> None:
    """Markup in a name, a fact, a mark or a prediction is shown, not obeyed."""
    run = runs.hostile()
    source = html.page(run, judged.rows(runs.run()))
    assert "<script" not in source
    assert runs.HOSTILE in Page(source).text
    assert markup.escape("<script>") in source


def test_it_stays_below_a_megabyte(source: str, run: Run, tmp_path: Path) -> None:
    """Also with forty streams of many failures."""
    assert len(source.encode()) < html.LARGEST_BYTES
    update = run.experiment("update")
    assert update is not None
    many = [
        dataclasses.replace(repeat, stream=f"{repeat.stream}-{turn}", values={**repeat.values, "outage_s": 20.0})
        for turn in range(3)
        for repeat in update.repeats
    ]
    large = dataclasses.replace(run, experiments=(dataclasses.replace(update, repeats=tuple(many)),))
    runs.samples(large, tmp_path / "samples.jsonl")
    drawn = streams.read(tmp_path / "samples.jsonl", [one.stream for one in many])
    assert len(drawn) == len(many)
    assert len(html.page(large, judged.rows(run), drawn).encode()) < html.LARGEST_BYTES


def test_a_run_without_anything_makes_a_page(run: Run) -> None:
    """Interrupted before the first repeat: the page still says which rows there are."""
    empty = dataclasses.replace(run, experiments=(), predictions={})
    assert "not measured" in html.page(empty, judged.rows(empty))


@pytest.mark.parametrize(
    ("iso", "told"),
    [
        ("2026-11-24T15:01:02+01:00", "24 November 2026, 15:01 (+01:00)"),
        ("2026-11-24T15:01:02+0000", "24 November 2026, 15:01 (+00:00)"),
        ("2026-11-24T15:01:02", "24 November 2026, 15:01"),
        ("yesterday", "yesterday"),
    ],
)
def test_instants_are_told_with_their_zone(run: Run, iso: str, told: str) -> None:
    """What cannot be read is shown as it is."""
    other = dataclasses.replace(run, started=iso, experiments=())
    assert f">{told}<" in html.page(other, judged.rows(other))


def test_what_no_claim_is_about_is_shown_too(page: Page) -> None:
    """Another action of a claimed value, and values of their own."""
    assert "VM, restore" in page.text
    assert "translation cache" in page.text


def test_what_of_many_arms_would_fill_a_page_is_there_to_be_opened(run: Run) -> None:
    """All of it, and nothing of it stands twice; that of few arms stands open."""
    one = run.experiments[0]
    repeats = tuple(
        dataclasses.replace(repeat, factors={"neighbour": str(number)}) for repeat in one.repeats for number in range(5)
    )
    many = dataclasses.replace(run, experiments=(dataclasses.replace(one, repeats=repeats),))
    few = dataclasses.replace(run, experiments=(one,))
    opened = {
        len(each.experiments[0].repeats): _outside_details(html.page(each, judged.rows(each))) for each in (few, many)
    }
    assert [text.count("Numbers:") for text in opened.values()] == [1, 0]
    assert html.page(many, judged.rows(many)).count("<caption>Numbers:") == 1
    assert 'class="outcome"' in opened[len(repeats)]


def _outside_details(source: str) -> str:
    return re.sub(r"<details>.*?</details>", "", source, flags=re.DOTALL)
