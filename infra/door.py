"""How the program begins and ends as a process; what it does lies in infra/main.py."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import NoReturn

import pulumi

TOLD = 32
"""Exit status that says to Pulumi's language host: the person has been told why, say no more."""

_LOGS = Path(__file__).resolve().parent.parent / ".state" / "logs"


def enter() -> None:
    """Run the program; whatever stops it is one sentence with a next step, never a traceback."""
    # Pulumi sends SIGINT to a program that it has no more use for, such as one of whose resources failed.
    signal.signal(signal.SIGINT, lambda *_: os._exit(TOLD))
    refusals: tuple[type[Exception], ...] = ()
    try:
        # Here, so that what takes a second to import, or is not installed, finds the handler above in place.
        main = importlib.import_module("infra.main")
        refusals = main.REFUSALS
        main.run()
    except refusals as refusal:
        _end(str(refusal))
    except ModuleNotFoundError as error:
        package = (error.name or str(error)).partition(".")[0]
        _end(f"The Python package {package} is not installed in this checkout's .venv. Run: ./lab setup")
    except Exception as error:  # noqa: BLE001 - whatever it is, the person gets a sentence and the log the traceback
        _end(f"{type(error).__name__}: {error}. {_noted()}Pack what happened: ./lab doctor --bundle")


def _noted() -> str:
    try:
        _LOGS.mkdir(parents=True, exist_ok=True)
        log = _LOGS / f"{time.strftime('%Y%m%dT%H%M%S')}-program-{os.getpid()}.log"
        log.write_text(traceback.format_exc(), encoding="utf-8")
    except OSError:
        return ""
    return f"Log: {log}. "


def _end(why: str) -> NoReturn:
    pulumi.log.error(why)
    sys.exit(TOLD)
