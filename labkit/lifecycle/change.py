"""`pulumi up` with some settings changed, by a copy of the stack's file: the committed one stays as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from infra import outputs, plan, telling
from infra.outputs import Contract
from labkit.lifecycle import heal, servers, strays
from labkit.lifecycle.pulumi import DESTROY, UP
from labkit.lifecycle.running import RunningLab
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT


def changed(file: Mapping[str, object], settings: Mapping[str, str | int]) -> dict[str, object]:
    """A stack file's content with these settings, all as text, as Pulumi's configuration is. Pure."""
    config = file.get("config")
    before = dict(config) if isinstance(config, Mapping) else {}
    return {**file, "config": {**before, **{f"{plan.PROJECT}:{key}": str(value) for key, value in settings.items()}}}


@contextmanager
def config_file(lab: str, settings: Mapping[str, str | int]) -> Iterator[Path]:
    """A copy of the lab's stack file with these settings, for Pulumi's --config-file; gone at the end."""
    with tempfile.TemporaryDirectory(prefix="vvc-settings-") as folder:
        copy = Path(folder, "config.yaml")
        stack = yaml.safe_load((CHECKOUT / f"Pulumi.{lab}.yaml").read_text(encoding="utf-8"))
        copy.write_text(yaml.safe_dump(changed(stack, settings)), encoding="utf-8")
        yield copy


def up(place: RunningLab, settings: Mapping[str, str | int], *, targets: Sequence[str] = ()) -> Contract:
    """`pulumi up` with these settings, confined to the resources named in `targets`, if any; what it then exports.

    Raises LabError with Pulumi's last words.
    """
    with config_file(place.lab, settings) as copy:
        return _up(place, [*_targets(targets), "--config-file", str(copy)])


def destroy(place: RunningLab, targets: Sequence[str]) -> None:
    """`pulumi destroy` of the resources of these names and of what depends on them. Raises LabError."""
    _pulumi(place, [*DESTROY, "-s", place.lab, *_targets(targets), "--target-dependents"])


def as_committed(place: RunningLab) -> Contract:
    """The lab as the stack's own file says, whatever was cut off before: what is too much goes, what is gone comes."""
    place.ready.pulumi.release_stale_lock(place.lab)
    servers.start(place.ready.machine, place.lab, place.progress)
    if removed := strays.remove(place):
        place.progress.line(f"Removed what was left behind: {', '.join(' '.join(thing) for thing in removed)}")
    return _up(place, heal.before_up(place.ready, place.lab, place.progress))


def now(place: RunningLab) -> Contract:
    """What the stack exports now, which differs from `place.contract` after `up`."""
    return outputs.from_outputs(place.ready.pulumi.outputs(place.lab))


def _targets(names: Sequence[str]) -> list[str]:
    return [f"--target=**::{name}" for name in names]


def _up(place: RunningLab, words: Sequence[str]) -> Contract:
    _pulumi(place, [*UP, "-s", place.lab, *words])
    return now(place)


def _pulumi(place: RunningLab, words: Sequence[str]) -> None:
    outcome = place.ready.pulumi.quiet(words)
    if not outcome.ok:
        raise LabError(
            f"pulumi {words[0]} failed ({outcome.ending}){telling.because(outcome.output)}",
            hint=f"./lab up {place.lab}, then again",
        )
