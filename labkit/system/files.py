"""Writes files whole or not at all: whoever is killed, or finds the disk full, leaves what was there before."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(file: Path, data: str | bytes, *, mode: int | None = None) -> None:
    """Put `data` (text as UTF-8) in the place of the file, and onto the disk.

    Without `mode` a file keeps the one that it has. Raises OSError when the disk does not take it: the old file is
    whole then, and nothing lies beside it.
    """
    with suppress(OSError):
        mode = stat.S_IMODE(file.stat().st_mode) if mode is None else mode
    with draft_of(file) as draft:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666 if mode is None else mode)
        with os.fdopen(descriptor, "wb") as out:
            out.write(data.encode() if isinstance(data, str) else data)
        if mode is not None:
            draft.chmod(mode)


@contextmanager
def draft_of(file: Path) -> Iterator[Path]:
    """A file beside this one, to be made inside; it takes this one's place when the block succeeds."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        yield draft
        _sync(draft, os.O_RDONLY)
        draft.replace(file)
        try:
            _sync(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            # Some file systems keep no folders on a disk of their own.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
