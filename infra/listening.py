"""Whether somebody listens at a Unix socket. Asked before docker's client, which leaves one open if nobody does."""

from __future__ import annotations

import socket
from pathlib import Path

_CONNECT_S = 5.0


def listens(path: Path) -> bool | None:
    """False where nobody does, or nothing is there; None where that cannot be told, as for somebody else's."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(_CONNECT_S)
        try:
            one.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return None
    return True
