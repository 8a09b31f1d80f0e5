"""Live views, and how clusters stand, as tables for a terminal, and as plain lines for everything else. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from labkit.lifecycle.servers import RUNNING
from labkit.measure.clusters import Event, Look, places
from labkit.report.live import SECONDS, Bucket, View

_BARS = "▁▂▃▄▅▆▇█"
_FAILED, _NOTHING = "✗", " "
_LEAST_MS, _MOST_MS = 1.0, 1000.0
"""The sparkline's scale is logarithmic between these: the usual answer, and the usual deadline."""


def sparkline(buckets: Sequence[Bucket | None]) -> Text:
    """A sign a second: its longest latency as a bar, or that a request failed."""
    text = Text()
    for bucket in buckets:
        if bucket is None or not (bucket.latencies_s or bucket.failures):
            text.append(_NOTHING)
        elif bucket.failures:
            text.append(_FAILED, style="red")
        else:
            text.append(bar(max(bucket.latencies_s) * 1000), style="cyan")
    return text


def bar(latency_ms: float) -> str:
    """A latency as one of eight bars."""
    share = math.log(max(latency_ms, _LEAST_MS) / _LEAST_MS) / math.log(_MOST_MS / _LEAST_MS)
    return _BARS[min(len(_BARS) - 1, int(share * len(_BARS)))]


def table(
    views: Sequence[View], *, banner: str = "", closing: str = "", clusters: Sequence[RenderableType] = ()
) -> RenderableType:
    """All streams below one another, each with a sparkline of its last minute; then the clusters, where there are."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "answers", "p50", "p99", "failed", "last outage"):
        grid.add_column(name, justify="right" if name in ("p50", "p99", "failed") else "left", header_style="dim")
    for view in views:
        grid.add_row(
            Text(view.name, style="bold"),
            Text(who(view), style="green" if view.answering else "red"),
            milliseconds(view.p50_ms),
            milliseconds(view.p99_ms),
            Text(f"{view.failed} of {view.requests}", style="red" if view.failed else ""),
            outage(view),
        )
    lines = [Text.assemble((f"{view.name:<11}", "bold"), sparkline(view.buckets)) for view in views]
    scale = Text(f"{'':<11}{'a sign a second, newest right: ▁ 1 ms … █ 1 s, ✗ failed':>{SECONDS}}", style="dim")
    parts: list[RenderableType] = [Text(banner, style="bold yellow")] if banner else []
    return Group(*parts, grid, Text(), *lines, scale, *clusters, Text(closing, style="dim"))


def standing(look: Look) -> RenderableType:
    """Each cluster: who decides, where its replica runs, which of its servers live; and the fault in force."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "leader", "replica runs in", "servers"):
        grid.add_column(name, header_style="dim")
    for side, own in look.sides.items():
        runs = [places(there) for name, there in look.runs_on.items() if look.replicas[name] == side]
        grid.add_row(
            Text(side, style="bold"),
            look.leaders[side] or Text("none", style="red"),
            Text(", ".join(runs), style="" if all(len(one) == 1 for one in look.runs_on.values()) else "red"),
            Text("  ").join(_server(name, look.servers.get(name, "gone")) for name in own),
        )
    faults = [Text(f"fault in force: {look.fault}", style="bold yellow")] if look.fault else []
    return Group(Text(), grid, *faults)


def _server(name: str, state: str) -> Text:
    return Text(name) if state == RUNNING else Text(f"{name} DEAD", style="red")


def standing_line(look: Look, at_s: float) -> str:
    """The same in one line, at so many seconds since the watch began."""
    told = [
        f"{side}: {look.leaders[side] or 'nobody'} leads"
        + "".join(f", {name} in {places(own)}" for name, own in look.runs_on.items() if look.replicas[name] == side)
        for side in look.sides
    ]
    dead = [f"dead: {', '.join(look.dead)}"] if look.dead else []
    fault = [f"fault: {look.fault}"] if look.fault else []
    return _at(at_s, "clusters", "; ".join([*told, *dead, *fault]))


def event(one: Event, began_s: float) -> str:
    """What has happened in one line; `began_s` is when the watch began, in seconds since 1970."""
    return _at(one.at_s - began_s, one.about or "lab", one.what)


def _at(at_s: float, about: str, what: str) -> str:
    return f"{at_s:6.0f} s  {about:<11} {what}"


def line(view: View) -> str:
    """The stream's last 10 s in one line."""
    return (
        f"{view.now_s:6.0f} s  {view.name:<11} p50 {milliseconds(view.p50_ms):>9}  p99 {milliseconds(view.p99_ms):>9}  "
        f"failed {view.failed} of {view.requests}  outage: {outage(view)}  answers: {who(view)}"
    )


def who(view: View) -> str:
    """Which replica answers, and how often where there are several."""
    if not view.answering:
        return "nobody"
    if len(view.replicas) == 1:
        return next(iter(view.replicas))
    total = sum(view.replicas.values())
    return ", ".join(f"{name} {count / total:.0%}" for name, count in view.replicas.items()) or "nobody lately"


def outage(view: View) -> str:
    """The newest outage in words."""
    spell = view.outage
    if spell is None:
        return "none"
    if spell.end_s is None:
        return f"{spell.length_s(view.now_s):.1f} s and lasting"
    return f"{spell.length_s(view.now_s):.2f} s, {max(0.0, view.now_s - spell.end_s):.0f} s ago"


def milliseconds(value: float | None) -> str:
    """A latency, or a dash."""
    return "-" if value is None else f"{value:.1f} ms"
