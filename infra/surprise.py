"""An exception that nobody expects: one sentence for the person, the traceback for the log."""

from __future__ import annotations

import tempfile
import time
import traceback
from pathlib import Path

from infra import telling


def sentence(error: BaseException) -> str:
    """The exception in one line; of a group its first one."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = telling.telling(_text(error))
    return f"{type(error).__name__}{': ' if said else ''}{said}"


def note(error: BaseException, file: Path) -> Path | None:
    """Append the traceback to this file, or where that cannot be written to one in the folder for temporary files.

    Says which file it was; None where none can be written. Raises nothing: whoever calls this has a message to tell.
    """
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:  # noqa: BLE001 - of an exception that cannot even be shown
        text = f"{type(error).__name__}\n"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    for target in (file, Path(tempfile.gettempdir(), f"vm-vs-container-{file.name}")):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(f"## {stamp} not expected\n{text}\n")
        except OSError:
            continue
        return target
    return None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - an exception whose own text fails
        return ""
