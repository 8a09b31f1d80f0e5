"""What to say when the tool itself cannot be loaded: `.venv` or the checkout is damaged. Standard library alone."""

from __future__ import annotations

import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from shlex import quote

CHECKOUT = Path(__file__).resolve().parent.parent
OURS = ("infra", "labkit", "labs", "toolchain")


def tell(error: BaseException) -> int:
    """Say what is damaged and what mends it, keep the traceback; the exit status."""
    log = CHECKOUT / ".state" / "logs" / f"{time.strftime('%Y%m%dT%H%M%S')}-loading.log"
    problem, hint = worded(error, [frame.filename for frame in traceback.extract_tb(error.__traceback__)])
    lines = [f"✗ {problem}", f"  Next: {hint}"]
    with suppress(OSError):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
        lines.append(f"  Log: {log}")
    with suppress(OSError):
        sys.stderr.write("\n".join(lines) + "\n")
        sys.stderr.flush()
    return 1


def worded(error: BaseException, files: list[str], checkout: Path = CHECKOUT) -> tuple[str, str]:
    """Pure: problem and next step, from the exception and the files that it came through."""
    said = f"{type(error).__name__}: {' '.join(str(error).split())}"
    missing = (getattr(error, "name", None) or "").split(".")[0] if isinstance(error, ImportError) else ""
    file = getattr(error, "filename", None) if isinstance(error, SyntaxError) else None
    last = str(file or next((one for one in reversed(files) if not one.startswith("<")), ""))
    venv = checkout / ".venv"
    if isinstance(error, MemoryError):
        return f"There is not enough memory ({said}).", "end what needs much, then look: free -h"
    if missing in OURS or (not missing and last.startswith(f"{checkout}/") and not last.startswith(f"{venv}/")):
        return f"A file of this checkout is damaged ({said}).", f"git -C {quote(str(checkout))} status"
    return (
        f"The Python packages in {venv} are damaged ({said}).",
        f"rm -r {quote(str(venv))}; the next ./lab makes it anew",
    )
