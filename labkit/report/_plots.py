"""Plots as SVG text, by Vega-Lite. Colours are CSS variables of style.css: one plot serves light, dark and paper."""

from __future__ import annotations

import html
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import vl_convert

from labkit.judge import words
from labkit.report import _looks
from labkit.report.series import PRESSED_FROM, Line, Series, StageBar
from labkit.report.streams import Column, Stream

WIDTH_PX = 520
"""Every plot's width; the page scales it between a phone's width and half a wide screen."""

_FONT_PX = 14
_BAND_PX = 62
_STREAM_PX = 54
_DECADES_OF_125 = 3.0

_NUMBERED_FROM = 0.045
"""Share of the axis from which a stage has room for a number."""

_POINTS_PX, _POINTS_SPREAD_PX = 66, 18
"""Below a bar of stages: the middle of its points, and how far apart the first and the last one lie."""

_INK, _MUTED, _GRID, _BAD, _SURFACE = "var(--ink)", "var(--muted)", "var(--grid)", "var(--bad)", "var(--surface)"
_CROSS = "M-.6,-.6L.6,.6M.6,-.6L-.6,.6"
_DIGITS = re.compile(r"(\d\.\d\d)\d+")
_TAG = re.compile(r"<[^>]*>")
_IDS = re.compile(r'(\bid="|url\(#|href="#)')
_ROLES = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
_SIZE = re.compile(r' width="[\d.]+" height="[\d.]+"')
_LABEL_CHARS = 18
_CHAR_PX = 8.4
"""Of a wide font: the page's is not the one that the plot was measured with."""

_JOINTS = re.compile(r" (?=\()|(?<=,) ")
_ROOM = {"type": "fit", "contains": "padding"}

Spec = dict[str, Any]
"""A part of a Vega-Lite specification. By hand, as Altair takes longer to write one than it takes to draw it."""

_count = itertools.count(1)


def strip(series: Series) -> str:
    """Every repeat as a point: filled if it counts, hollow for the warm-up, a cross if it is marked; medians as ticks.

    The axis begins at 0, or is logarithmic and says so.
    """
    values = [point.value for one in series.lines for point in one.points]
    divisor, unit = words.scale(values, series.unit)
    positive = [value for value in values if value > 0]
    log = len(positive) == len(values) and bool(values) and max(positive) / min(positive) > PRESSED_FROM
    title = f"{series.title} ({unit})" if unit else series.title
    if log:
        domain = [min(positive) / divisor / 1.25, max(positive) / divisor * 1.25]
        scale: Spec = {"type": "log", "domain": domain, "nice": False}
        axis: Spec = {"title": f"{title}, log scale", "values": _ticks(*domain), "format": "~g", "labelFlush": False}
    else:
        # Nothing but zeros has no scale of its own.
        scale = {"zero": True, "nice": True} if any(values) else {"domain": [0, 1]}
        axis = {"title": title, "tickCount": 5, "labelFlush": False}
    encoding = {
        "x": _quantity("value", axis=axis, scale=scale),
        "y": {"field": "line", "type": "nominal", "sort": None, "axis": _names(series.lines)},
        "yOffset": _quantity("offset", scale={"domain": [-1.15, 1.15]}),
    }
    points = list(_points(series.lines, divisor))
    medians = [
        {"line": _folded(one.label), "value": one.median / divisor, "offset": 0.0,
         "text": words.quantity(one.median, series.unit)}
        for one in series.lines if one.values
    ]  # fmt: skip
    looks = {"color": _as_it_is("color"), "shape": _as_it_is("shape")}
    layers: list[Spec] = [
        {"data": {"name": "medians"},
         "mark": {"type": "tick", "thickness": 2.5, "size": _BAND_PX * 0.66, "color": _INK, "opacity": 1}},
        {"transform": [{"filter": "datum.kind == 'counts'"}], "encoding": looks,
         "mark": {"type": "point", "filled": True, "size": 62, "opacity": 0.72}},
        {"transform": [{"filter": "datum.kind == 'warm-up'"}], "encoding": looks,
         "mark": {"type": "point", "filled": False, "size": 62, "strokeWidth": 1.4, "opacity": 1}},
        {"transform": [{"filter": "datum.kind == 'marked'"}],
         "mark": {"type": "point", "shape": _CROSS, "size": 80, "strokeWidth": 2, "opacity": 1, "stroke": _MUTED}},
        {"data": {"name": "medians"}, "encoding": {"text": {"field": "text"}},
         "mark": {"type": "text", "dy": -_BAND_PX * 0.42, "fontSize": _FONT_PX - 1, "fontWeight": 600, "color": _INK}},
    ]  # fmt: skip
    spec = {"data": {"name": "points"}, "encoding": encoding, "layer": layers, "width": WIDTH_PX,
            "height": _BAND_PX * len(series.lines) + 50, "autosize": _ROOM}  # fmt: skip
    return _svg(spec, f"{series.title}: {_in_words(series)}", points=points, medians=medians)


def _points(lines: Iterable[Line], divisor: float) -> Iterator[Spec]:
    # Repeats lie below each other in their order: equal values stay apart, and drift of the machine is seen.
    for one in lines:
        most = max((point.number for point in one.points), default=0)
        for point in one.points:
            yield {
                "line": _folded(one.label),
                "value": point.value / divisor,
                "kind": point.kind,
                "offset": (point.number / most - 0.5) if most else 0.0,
                "color": _looks.color(one.arm),
                "shape": _looks.shape(one.arm),
            }


def _names(lines: Iterable[Line]) -> Spec:
    longest = max((len(part) for one in lines for part in _folded(one.label).split("\n")), default=0)
    return {"title": None, "ticks": False, "minExtent": _CHAR_PX * longest,
            "labelExpr": "split(datum.label, '\\n')", "labelLineHeight": _FONT_PX + 2}  # fmt: skip


def _folded(label: str) -> str:
    # What stands beside the points takes their room: a long name goes on several lines, broken where it has a joint.
    lines: list[str] = []
    for part in _JOINTS.split(label):
        joined = f"{lines[-1]} {part}" if lines else part
        lines[-1:] = [joined] if len(joined) <= _LABEL_CHARS else [*lines[-1:], part]
    return "\n".join(lines)


def _ticks(low: float, high: float) -> list[float]:
    # 1, 2, 5, 10, …; only powers of ten where that would crowd.
    crowded = math.log10(high / low) > _DECADES_OF_125
    steps = (1,) if crowded else (1, 2, 5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**power for power in powers for step in steps if low <= step * 10.0**power <= high]


def stages(bar: StageBar, until_s: float) -> str:
    """One repeat's stages, end to end, numbered as in the table beside; below it every repeat's whole time as a point.

    The time axis ends at `until_s`.
    """
    divisor, unit = words.scale([until_s], "s")
    rows, at = [], 0.0
    for number, stage in enumerate(bar.stages, 1):
        known = stage.name != "unexplained"
        rows.append({
            "begin": at / divisor, "end": (at + stage.s) / divisor, "middle": (at + stage.s / 2) / divisor,
            "fill": _looks.color(bar.arm) if known else _SURFACE,
            "shade": (0.92, 0.5)[number % 2 == 0] if known else 1,
            "stroke": _SURFACE if known else _MUTED,
            "number": str(number) if stage.s > _NUMBERED_FROM * until_s else "",
        })  # fmt: skip
        at += stage.s
    axis = {"title": f"time from the start line ({unit})", "tickCount": 6}
    bars = {
        "x": _quantity("begin", axis=axis, scale={"domain": [0, until_s / divisor], "nice": False}),
        "x2": {"field": "end"},
        "y": {"value": 36},
        "fill": _as_it_is("fill"),
        "fillOpacity": _quantity("shade", scale=None),
        "stroke": _as_it_is("stroke"),
    }
    numbers = {"x": _quantity("middle", axis=axis), "y": {"value": 12}, "text": {"field": "number"}}
    most = max(point.number for point in bar.points)
    points = [
        {"value": point.value / divisor, "row": _POINTS_PX + _POINTS_SPREAD_PX * (point.number / most - 0.5),
         "color": _looks.color(bar.arm), "shape": _looks.shape(bar.arm)}
        for point in bar.points
    ]  # fmt: skip
    wholes = {"x": _quantity("value", axis=axis), "y": _quantity("row", axis=None, scale=None),
              "color": _as_it_is("color"), "shape": _as_it_is("shape")}  # fmt: skip
    layers: list[Spec] = [
        {"mark": {"type": "bar", "height": 26, "strokeWidth": 1.5}, "encoding": bars},
        {"mark": {"type": "text", "color": _INK, "fontSize": _FONT_PX - 1, "fontWeight": 600}, "encoding": numbers},
        {"data": {"name": "points"}, "encoding": wholes,
         "mark": {"type": "point", "filled": True, "size": 62, "opacity": 0.72}},
    ]  # fmt: skip
    spec = {"data": {"name": "rows"}, "layer": layers, "width": WIDTH_PX, "height": 134, "autosize": _ROOM}
    told = ", ".join(f"{stage.name} {words.quantity(stage.s, 's')}" for stage in bar.stages)
    return _svg(spec, f"Stages of {words.named(bar.arm)}, repeat {bar.number}: {told}", rows=rows, points=points)


def streams(drawn: Sequence[Stream]) -> str:
    """Probe streams below each other on one time axis: from least to most latency a pixel column; failures as ticks."""
    rows: list[Spec] = []
    for one in drawn:
        common = {"stream": one.label, "color": _looks.color(one.arm)}
        rows += [
            {**common, "at": round(column.at_s, 3), "least": _some(column.least_ms), "most": _some(column.most_ms)}
            for column in _without_long_gaps(one.columns)
        ]
        rows += [{**common, "failure": failure.at_s} for failure in one.failures]
    longest = max((one.seconds for one in drawn), default=1.0)
    axis = {"title": "seconds since the stream began", "tickCount": 6}
    y_axis = {"title": None, "tickCount": 3, "format": "~s", "values": [1, 10, 100, 1000]}
    area = {
        "x": _quantity("at", axis=axis, scale={"domain": [0, longest], "nice": False}),
        "y": _quantity("least", axis=y_axis, scale={"type": "log", "domain": _latencies(drawn)}),
        "y2": {"field": "most"},
        "fill": _as_it_is("color"),
        "stroke": _as_it_is("color"),
    }
    layers: list[Spec] = [
        {"transform": [{"filter": "isValid(datum.at)"}], "encoding": area,
         "mark": {"type": "area", "fillOpacity": 0.55, "strokeWidth": 0.8, "line": False,
                  "invalid": "break-paths-show-domains"}},
        {"transform": [{"filter": "isValid(datum.failure)"}],
         "encoding": {"x": _quantity("failure", axis=axis), "y": {"value": -2}},
         "mark": {"type": "tick", "orient": "vertical", "thickness": 1.2, "size": 11, "color": _BAD, "opacity": 1}},
    ]  # fmt: skip
    header = {"title": None, "labelOrient": "top", "labelAnchor": "start", "labelFontSize": _FONT_PX - 1,
              "labelPadding": 6}  # fmt: skip
    spec = {
        "data": {"name": "rows"},
        "facet": {"row": {"field": "stream", "sort": [one.label for one in drawn], "header": header}},
        "spacing": 14,
        "spec": {"layer": layers, "width": WIDTH_PX - 64, "height": _STREAM_PX},
    }
    told = "; ".join(f"{one.label}: {one.sent} requests, {one.failed} failed" for one in drawn)
    return _svg(spec, f"Latency in ms over time, log scale. {told}", rows=rows)


def _without_long_gaps(columns: Sequence[Column]) -> list[Column]:
    # One column without an answer breaks the band; a slow stream has many in a row, which only take time.
    gaps = [not math.isfinite(column.least_ms) for column in columns]
    return [column for at, column in enumerate(columns) if not (gaps[at] and at and gaps[at - 1])]


def _latencies(drawn: Sequence[Stream]) -> list[float]:
    least = [column.least_ms for one in drawn for column in one.columns if column.least_ms > 0]
    most = [column.most_ms for one in drawn for column in one.columns if column.most_ms > 0]
    low, high = min(least, default=1.0), max(most, default=10.0)
    return [10 ** math.floor(math.log10(low)), 10 ** math.ceil(math.log10(max(high, low * 1.01)))]


def _some(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None


def _in_words(series: Series) -> str:
    return "; ".join(
        f"{one.label}: median {words.quantity(one.median, series.unit)}, n = {len(one.values)}" for one in series.lines
    )


def _quantity(field: str, **more: Any) -> Spec:
    return {"field": field, "type": "quantitative", **more}


def _as_it_is(field: str) -> Spec:
    return {"field": field, "type": "nominal", "scale": None}


def _svg(spec: Spec, label: str, **rows: Sequence[Mapping[str, Any]]) -> str:
    text: str = vl_convert.vegalite_to_svg(json.dumps({**spec, "config": _config(), "datasets": rows}))
    prefix = f"p{next(_count)}-"
    text = _TAG.sub(lambda tag: _tidied(tag.group(), prefix), text)
    text = _SIZE.sub("", text, count=1).replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    return text.replace("<svg ", f'<svg role="img" aria-label="{html.escape(label)}" ', 1)


def _tidied(tag: str, prefix: str) -> str:
    # Hundredths of a pixel will do; the plot as a whole is one image with one label; ids are unique on the page.
    tag = _ROLES.sub("", _DIGITS.sub(r"\1", tag))
    return _IDS.sub(lambda start: start.group(1) + prefix, tag)


def _config() -> Mapping[str, Any]:
    return {
        "aria": False,
        "background": None,
        "padding": {"left": 9, "right": 9, "top": 4, "bottom": 4},
        "font": "sans-serif",
        "view": {"stroke": None},
        "axis": {"labelColor": _MUTED, "titleColor": _MUTED, "labelFontSize": _FONT_PX, "titleFontSize": _FONT_PX,
                 "titleFontWeight": "normal", "titlePadding": 8, "domainColor": _GRID, "tickColor": _GRID,
                 "gridColor": _GRID, "labelLimit": 200},
        "axisY": {"grid": False, "domain": False, "labelColor": _INK},
        "axisX": {"grid": True},
        "header": {"labelColor": _INK, "labelFontWeight": "normal"},
    }  # fmt: skip
