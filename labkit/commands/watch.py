"""./lab watch."""

from __future__ import annotations

import select
import shutil
import sys
import tempfile
import termios
import threading
import time
import tty
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from infra import outputs
from labkit.judge import words
from labkit.lifecycle import set_up
from labkit.measure import clusters
from labkit.measure.clusters import Followed, Look
from labkit.measure.prober.handle import Prober, probing
from labkit.measure.prober.settings import MAX_DURATION_S, Settings, samples_file
from labkit.measure.prober.tail import Tail
from labkit.report import live_view
from labkit.report.live import LiveStream, View
from labkit.sides import SIDES
from labkit.system.errors import LabError
from labkit.system.paths import STATE
from labkit.system.signals import caught

_REDRAW_S = 0.25
_PLAIN_S = 1.0
_READS_PER_S, _WRITES_PER_S = 10.0, 2.0
"""Fewer than a measurement asks: to look must not load a guest on an emulated CPU."""

_ASK_S, _LOOK_PAUSE_S = 4.0, 1.5
"""Bound of each question to a cluster's server, and the time between two looks at the clusters."""

_EVENTS = 8
_LOOKING = "The clusters are asked …"


@dataclass(frozen=True)
class _Side:
    """A side's prober, what it has told so far, and its samples as they come."""

    prober: Prober
    stream: LiveStream
    tail: Tail

    def view(self) -> View:
        """The side now."""
        for sample in self.tail.new():
            self.stream.add(sample)
        return self.stream.view(self.prober.now_s())


def run(lab: str, *, plain: bool, seconds: float | None) -> int:
    """Probe both sides, look at their clusters, and show what comes, until q, Ctrl-C or the given time.

    0 if every side answers at the end.
    """
    ready = set_up.need(then=f"./lab up {lab}")
    try:
        contract = outputs.from_outputs(ready.pulumi.outputs(lab))
    except outputs.ContractError as error:
        raise LabError(f"There is nothing to watch: {error}", hint=f"./lab up {lab}") from error
    banner = words.banner() if contract.accelerator == "tcg" else ""
    live = sys.stdout.isatty() and not plain
    folder = Path(tempfile.mkdtemp(prefix="watch-", dir=STATE / lab))
    try:
        with ExitStack() as stack:
            sides = [
                stack.enter_context(_probed(contract.side(name), name, folder)) for name in SIDES if contract.side(name)
            ]
            ended = threading.Event()
            # Whatever is under way: a watch ends in order, with its last view.
            stack.enter_context(caught(lambda _: ended.set()))
            clusters = stack.enter_context(_followed(ready, lab, contract))
            show = _live if live else _plain
            views = show(_Seen(sides, clusters, banner), time.monotonic() + (seconds or MAX_DURATION_S), ended)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    silent = [view.name for view in views if not view.answering]
    if silent:
        click.echo(f"No answer from: {', '.join(silent)}.\n  Next: ./lab status {lab}", err=True)
    return 1 if silent else 0


@contextmanager
def _probed(replicas: Sequence[outputs.Replica], name: str, folder: Path) -> Iterator[_Side]:
    settings = Settings(
        [replica.url for replica in replicas],
        folder,
        stream=name,
        reads_per_s=_READS_PER_S,
        writes_per_s=_WRITES_PER_S,
        duration_s=MAX_DURATION_S,
    )
    with probing(settings, good_within_s=None) as prober:
        yield _Side(prober, LiveStream(name), Tail(samples_file(folder, name)))


@contextmanager
def _followed(ready: set_up.Ready, lab: str, contract: outputs.Contract) -> Iterator[Followed | None]:
    """The lab's clusters, looked at in the background; None where it has none."""
    if not any(server.side for server in contract.servers):
        yield None
        return

    def ask(since_s: float) -> Look:
        return clusters.look(ready, lab, contract, within_s=_ASK_S, since_s=since_s)

    with clusters.followed(ask, _LOOK_PAUSE_S) as found:
        yield found


@dataclass(frozen=True)
class _Seen:
    """All that is shown."""

    sides: Sequence[_Side]
    clusters: Followed | None
    banner: str
    began_s: float = field(default_factory=time.time)

    def events(self, since: int = 0) -> list[str]:
        """What has happened to the clusters, a line each, but for the first so many."""
        return [live_view.event(one, self.began_s) for one in self.clusters.events[since:]] if self.clusters else []

    def standing(self, width: int) -> list[RenderableType]:
        """The clusters, and the last of what has happened to them, in lines of this width."""
        if self.clusters is None:
            return []
        look, problem = self.clusters.last, self.clusters.problem
        table = [live_view.standing(look)] if look else [Text(_LOOKING, style="dim")]
        lost = [Text(problem, style="red")] if problem else []
        return [*table, *lost, Text(), *(Text(line[:width]) for line in self.events()[-_EVENTS:])]


def _plain(seen: _Seen, until: float, ended: threading.Event) -> list[View]:
    if seen.banner:
        click.echo(seen.banner)
    views: list[View] = []
    told = -1
    while not views or not (ended.is_set() or time.monotonic() >= until):
        ended.wait(max(0.0, min(_PLAIN_S, until - time.monotonic())))
        views = [side.view() for side in seen.sides]
        for view in views:
            click.echo(live_view.line(view))
        if told < 0 and seen.clusters and seen.clusters.last:
            click.echo(live_view.standing_line(seen.clusters.last, time.time() - seen.began_s))
            told = 0
        for line in seen.events(max(0, told)):
            click.echo(line)
            told += 1
    return views


def _live(seen: _Seen, until: float, ended: threading.Event) -> list[View]:
    views = [side.view() for side in seen.sides]
    console = Console(highlight=False)
    with _keys() as pressed, Live(console=console, auto_refresh=False) as screen:
        while not ended.is_set():
            if pressed(_REDRAW_S) == "q" or time.monotonic() > until:
                ended.set()
            views = [side.view() for side in seen.sides]
            closing = "" if ended.is_set() else "q: quit"
            standing = seen.standing(console.width)
            screen.update(live_view.table(views, banner=seen.banner, closing=closing, clusters=standing), refresh=True)
    return views


@contextmanager
def _keys() -> Iterator[_Keys]:
    """Single keys from the terminal, not echoed; the terminal is as it was afterwards."""
    if not sys.stdin.isatty():
        yield _Keys(None)
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield _Keys(sys.stdin.fileno())
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


@dataclass(frozen=True)
class _Keys:
    descriptor: int | None

    def __call__(self, within_s: float) -> str:
        """The key that was pressed within this time, else an empty text."""
        if self.descriptor is None:
            time.sleep(within_s)
            return ""
        ready, _, _ = select.select([self.descriptor], [], [], within_s)
        return sys.stdin.read(1) if ready else ""
