"""./lab guide."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from labkit.commands import report_article
from labkit.guide import figures as guide_figures
from labkit.guide import model, walk
from labkit.guide.fence import WITHIN_S, Runner
from labkit.guide.model import Guide, Section, Step
from labkit.guide.text import CHECK, Fence
from labkit.guide.walk import Choice, Ran
from labkit.judge.rows import judge
from labkit.lifecycle import pulumi, set_up
from labkit.measure import labs
from labkit.runs import run_folder
from labkit.runs.records import Run
from labkit.system.errors import LabError
from labkit.system.files import write_whole
from labkit.system.paths import CHECKOUT

_WIDTH = 100
_ANSWERS: Mapping[str, Choice] = {"": "run", "r": "run", "s": "skip", "q": "quit"}


def read(lab: str) -> Guide:
    """The lab's guide. Raises LabError when there is none or when it has mistakes."""
    file = CHECKOUT / "labs" / lab / "README.md"
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(f"The lab {lab} has no guide: {error}", hint="git checkout -- labs") from error
    return model.parse(text, lab=lab, file=str(file.relative_to(CHECKOUT)))


def run(lab: str, *, first: str | None, list_only: bool, as_json: bool, yes: bool) -> int:
    """Walk through the guide; 0 only if every step was run and its check held."""
    found = read(lab)
    step = found.find(first) if first else found.steps[0]
    if list_only:
        _list(found, as_json=as_json)
        return 0
    if not yes and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise LabError(
            "There is no terminal to ask at before each step.",
            hint=f"./lab guide {lab} --yes runs all steps without asking; --list names them",
        )
    screen = Screen(lab, ask=not yes)
    if step.number == 1:
        screen.title(found)
    result = walk.walk(found, step, screen, Runner(lab, _environment))
    if result.stopped is not None:
        click.echo(f"Stopped at step {result.stopped.number}. Go on: ./lab guide {lab} --from {result.stopped.number}")
    elif result.skipped:
        click.echo(f"The end; skipped: {', '.join(str(one.number) for one in result.skipped)}.")
    else:
        click.echo(f"The end: {len(result.passed)} steps, every check held.")
    return 0 if result.complete else 1


PAGES = ("README.md", "INSTRUCTOR.md")
"""Pages of a lab that may have blocks made from its stored run."""


def figures(lab: str, run_id: str) -> int:
    """Store a run as the one that the guide shows, and make the guide's blocks from it."""
    source, run = run_folder.of(lab, run_id)
    if not run.finished or any(one.state != "complete" for one in run.experiments):
        raise LabError(f"The run {run.id} is not complete.", hint=f"./lab run {lab}")
    home = CHECKOUT / "labs" / lab
    pages = {home / name: (home / name).read_text(encoding="utf-8") for name in PAGES if (home / name).exists()}
    made = {file: fill(lab, text, run, str(file.relative_to(CHECKOUT))) for file, text in pages.items()}
    stored = home / run_folder.STORED
    if source.resolve() != stored.resolve():
        shutil.copytree(source, stored, dirs_exist_ok=True)
    for file, text in made.items():
        write_whole(file, text)
        click.echo(f"{file.relative_to(CHECKOUT)} shows run {run.id}")
    return report_article.readme()


def fill(lab: str, text: str, run: Run, file: str) -> str:
    """A page with its blocks made from a run."""
    loaded = labs.load(lab)
    return guide_figures.into(text, run, judge(run, loaded.claims), file, loaded.figures)


def _environment() -> Mapping[str, str]:
    """As after eval "$(./lab env)", once there is a set-up: the guide's first step may be the one that makes it."""
    try:
        ready = set_up.need()
    except LabError:
        return {}
    return pulumi.environment(ready.toolchain, ready.machine.docker_host)


def _list(found: Guide, *, as_json: bool) -> None:
    if as_json:
        facts = [
            {"number": one.number, "section": one.section, "title": one.title, "command": one.command.text}
            for one in found.steps
        ]
        click.echo(json.dumps(facts, indent=2))
        return
    for section in found.sections:
        click.echo(f"    {section.title}")
        for step in section.steps:
            click.echo(f"{step.number:>6}  {step.title}")


def _console() -> Console:
    console = Console(highlight=False)
    console.width = min(console.width, _WIDTH)
    return console


@dataclass(frozen=True)
class Screen:
    """Shows the guide; asks at each step, unless everything is to run by itself."""

    lab: str
    ask: bool
    console: Console = field(default_factory=_console)

    def title(self, found: Guide) -> None:
        """What the guide is about."""
        self.console.print(Rule(Text(found.title, style="bold"), characters="═"))
        self._prose(found.prose)

    def section(self, section: Section, *, pause: bool) -> bool:
        """A section's prose, and time to read it."""
        self.console.print()
        self.console.print(Rule(Text(section.title, style="bold cyan"), align="left"))
        self._prose(section.prose)
        return not pause or self._answer("Enter: go on   q: quit") != "quit"

    def step(self, step: Step, total: int) -> Choice:
        """A step's prose and its command."""
        self.console.print()
        self.console.print(Text(f"Step {step.number} of {total}: {step.title}", style="bold"))
        self._prose(step.prose)
        self._code(step.command)
        return self._answer("Enter: run it   s: skip   q: quit")

    def passed(self, step: Step, check: Ran) -> None:
        """The check as it was run: the reader can do it again by hand."""
        self._code(check.fence)
        self.console.print(Text(f"✓ {step.title}", style="green"))

    def failed(self, step: Step, ran: Ran) -> Choice:
        """What failed, what it said, and the hint."""
        what = "The check" if ran.fence.language == CHECK else "The command"
        if ran.fence.language == CHECK:
            self._code(ran.fence)
            self.console.print(Text(ran.output.rstrip(), style="dim"))
        late = f" (it was ended after {WITHIN_S} s)" if ran.seconds > WITHIN_S else ""
        self.console.print(
            Text(f"✗ Step {step.number}: {step.title}. {what} ended with status {ran.status}{late}.", style="red")
        )
        self.console.print(Markdown(f"**Hint:** {step.hint}"))
        return self._answer("r: retry   s: skip   q: quit", otherwise="quit")

    def _prose(self, text: str) -> None:
        if text:
            self.console.print(Markdown(text))

    def _code(self, fence: Fence) -> None:
        body = Syntax(fence.text.rstrip(), "sh", theme="ansi_dark", background_color="default", word_wrap=True)
        if fence.language == CHECK:
            self.console.print(Text("  checked by", style="dim"))
        self.console.print(Padding(body, (fence.language != CHECK, 0, 0, 4)))

    def _answer(self, question: str, otherwise: Choice = "run") -> Choice:
        if not self.ask:
            return otherwise
        while True:
            said = click.prompt(f"  {question}", default="", show_default=False, prompt_suffix="  ").strip().lower()
            if said in _ANSWERS:
                return _ANSWERS[said]
