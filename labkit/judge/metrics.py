"""The metrics: one function each, with its unit, direction, definition (the docstring) and a worked example. Pure.

To add one, write one decorated function. Its name becomes the metric's; it reads a repeat's values and stages and gives
None where the repeat does not have what it needs. The example is computed by the tests.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

from labkit.judge.model import Better, Metric
from labkit.judge.words import quantity
from labkit.records import Repeat, Stage

METRICS: dict[str, Metric] = {}
"""Name -> metric, in the order of this file."""

EXAMPLES: dict[str, tuple[Repeat, float]] = {}
"""Name -> a repeat and what the metric must give for it."""


def metric(
    *,
    unit: str,
    experiment: str,
    given: Mapping[str, float],
    gives: float,
    stages: Sequence[Stage] = (),
    action: str = "",
    better: Better = "lower",
    exact: bool = False,
) -> Callable[[Callable[[Repeat], float | None]], Metric]:
    """Make a metric of a function. `given` (values) and `stages` are the example's repeat, `gives` its result."""

    def make(of: Callable[[Repeat], float | None]) -> Metric:
        name = of.__name__
        told = [f"{value} = {number:g}" for value, number in given.items()]
        told += [f"stage {stage.name} = {stage.s:g} s" for stage in stages]

        def only_its_own(repeat: Repeat) -> float | None:
            return of(repeat) if repeat.experiment == experiment and action in ("", repeat.action) else None

        made = Metric(
            name=name,
            unit=unit,
            better=better,
            definition=inspect.getdoc(of) or "",
            example=f"{', '.join(told)} gives {quantity(gives, unit)}",
            experiment=experiment,
            of=only_its_own,
            action=action,
            exact=exact,
        )
        METRICS[name] = made
        EXAMPLES[name] = (Repeat(experiment, "", 1, 0.0, dict(given), action=action, stages=tuple(stages)), gives)
        return made

    return make


@metric(unit="bytes", experiment="size", exact=True, given={"image_virtual_bytes": 3 << 30}, gives=3 << 30)
def image_virtual_bytes(repeat: Repeat) -> float | None:
    """The size that the image claims to have: a disk image's virtual disk, a container image's unpacked layers."""
    return repeat.values.get("image_virtual_bytes")


@metric(unit="bytes", experiment="size", exact=True, given={"image_allocated_bytes": 600 << 20}, gives=600 << 20)
def image_allocated_bytes(repeat: Repeat) -> float | None:
    """What the image takes on the server's disk, holes left out: what one must have room for."""
    return repeat.values.get("image_allocated_bytes")


@metric(unit="bytes", experiment="size", exact=True, given={"image_compressed_bytes": 220 << 20}, gives=220 << 20)
def image_compressed_bytes(repeat: Repeat) -> float | None:
    """The image compressed, by the same compressor on both sides: what one downloads."""
    return repeat.values.get("image_compressed_bytes")


@metric(unit="bytes", experiment="size", exact=True, given={"second_replica_bytes": 8 << 20}, gives=8 << 20)
def second_replica_bytes(repeat: Repeat) -> float | None:
    """What one more replica, newly made, takes on disk: overlay, or layer and volume; the service's data on both."""
    return repeat.values.get("second_replica_bytes")


@metric(unit="packages", experiment="size", exact=True, given={"packages": 214}, gives=214)
def packages(repeat: Repeat) -> float | None:
    """Debian packages installed in the image."""
    return repeat.values.get("packages")


@metric(unit="s", experiment="start", action="deploy", given={"ready_s": 31.5}, gives=31.5)
def deploy_s(repeat: Repeat) -> float | None:
    """Seconds from nothing (no guest, no container) to the first correct 200."""
    return repeat.values.get("ready_s")


@metric(unit="s", experiment="start", action="start", given={"ready_s": 0.48}, gives=0.48)
def start_s(repeat: Repeat) -> float | None:
    """Seconds from the order to start a shut-off guest or a stopped, created container to the first correct 200."""
    return repeat.values.get("ready_s")


@metric(unit="s", experiment="start", action="restore", given={"ready_s": 2.1}, gives=2.1)
def restore_s(repeat: Repeat) -> float | None:
    """Seconds from the order to restore a VM from its saved state to the first correct 200."""
    return repeat.values.get("ready_s")
