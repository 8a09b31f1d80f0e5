"""Whoever changes or measures a lab has it alone: one `./lab` at a time. A plain Pulumi has a lock of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from labkit.system.errors import LabError
from labkit.system.locks import held
from labkit.system.paths import STATE


@contextmanager
def by(verb: str, lab: str) -> Iterator[None]:
    """Hold the lab while `./lab VERB` is at work on it. Raises LabError, which says who holds it."""
    file = STATE / lab / "in-use"
    file.parent.mkdir(parents=True, exist_ok=True)
    holder = ""
    with suppress(OSError, UnicodeDecodeError):
        holder = file.read_text(encoding="utf-8").strip()
    another = LabError(
        f"The lab {lab} is in use by {holder or 'another ./lab'}.", hint="wait until it has ended, or end it by Ctrl-C"
    )
    with held(file, 0, another):
        file.write_text(f"./lab {verb} (process {os.getpid()})\n", encoding="utf-8")
        yield
