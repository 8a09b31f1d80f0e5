"""Unix sockets."""

from __future__ import annotations

import socket
from pathlib import Path

_CONNECT_S = 5.0


def listens(path: Path) -> bool:
    """Whether somebody listens at a Unix socket. Asked first: docker's client leaves a socket open if nobody does."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(_CONNECT_S)
        try:
            one.connect(str(path))
        except OSError:
            return False
    return True
