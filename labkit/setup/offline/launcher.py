"""What the launcher asks before it makes .venv: `python -c … CHECKOUT CACHE [FILE]`, with the standard library alone.

Prints the folder of wheels to install from, or nothing where the package index is to be asked.
"""

from __future__ import annotations

import sys
from pathlib import Path

from labkit.setup.offline import _wheels
from labkit.system.errors import LabError


def main() -> int:
    """Say where the wheels are, after bringing them from FILE if it is given; 1 with a message if that fails."""
    checkout, cache, *file = (Path(word) for word in sys.argv[1:])
    try:
        found = _wheels.bring(file[0], checkout, cache) if file else _wheels.ready(checkout, cache)
    except LabError as error:
        sys.stderr.write(f"✗ {error.problem}\n  Next: {error.hint}\n")
        return 1
    if found is not None:
        sys.stdout.write(f"{found}\n")
    return 0
