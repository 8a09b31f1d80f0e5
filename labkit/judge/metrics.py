"""A lab's metrics by name, as data: nothing depends on which module was imported first. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from labkit.judge.model import Claim, Measured, Metric


class MetricError(ValueError):
    """A metric that is not there, or that stands twice."""


class Metrics(Mapping[str, Metric]):
    """Metrics in their order. Who asks for one that is not there is told which there are."""

    def __init__(self, *rows: Metric) -> None:
        names = [one.name for one in rows]
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise MetricError(f"There are several metrics {', '.join(map(repr, twice))}.")
        self._by_name = dict(zip(names, rows, strict=True))

    def __getitem__(self, name: str) -> Metric:
        try:
            return self._by_name[name]
        except KeyError:
            raise MetricError(f"There is no metric {name!r}; there is {', '.join(self) or 'none'}.") from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)


def unknown(claims: Iterable[Claim], metrics: Metrics) -> list[str]:
    """What is wrong with these claims' metrics, each a sentence; empty if each is one of these."""
    there = ", ".join(metrics) or "none"
    return [
        f"The claim {claim.name!r} rests on the metric {claim.metric.name!r}, which its lab does not have; "
        f"there is {there}."
        for claim in claims
        if isinstance(claim, Measured) and claim.metric not in metrics.values()
    ]
