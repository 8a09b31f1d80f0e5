"""Live views as tables for a terminal, and as plain lines for everything else. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

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


def table(views: Sequence[View], *, banner: str = "", closing: str = "") -> RenderableType:
    """All streams below one another, each with a sparkline of its last minute."""
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
    return Group(*parts, grid, Text(), *lines, scale, Text(closing, style="dim"))


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
