"""Ends this process when the one that started it dies, so that a killed engine leaves nothing running."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

_PAUSE_S = 0.5


def hold(on_death: Callable[[], None]) -> None:
    """Call `on_death` from a thread, then exit, once the parent is gone. Noticed within half a second.

    A parent's death signal (prctl) would not do: Linux sends it when the starting *thread* ends, and the engine's
    threads come and go.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PAUSE_S)
        on_death()
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
