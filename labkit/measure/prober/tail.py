"""Follows a prober's file of samples while it grows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labkit.measure.prober import sample
from labkit.measure.prober.sample import Sample


class Tail:
    """The samples of a file, each once, as they come; the file need not be there yet."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._read_to = 0
        self._latest: Sample | None = None

    def rewind(self) -> None:
        """Begin anew."""
        self._read_to = 0

    def new(self) -> Iterator[Sample]:
        """Samples that came since the last call; a line that is not whole yet is left for the next one."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_to)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for text in whole.splitlines():
            self._latest = sample.parse(text)
            yield self._latest

    def latest(self) -> str:
        """The last outcome in words."""
        if self._latest is None:
            return "no request has had an outcome yet"
        one = self._latest
        detail = f" ({one.detail})" if one.detail else ""
        return f"the last outcome was `{one.outcome}`{detail}: {sample.OUTCOMES[one.outcome]}"
