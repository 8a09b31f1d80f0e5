"""Pulumi's event log as lines for this tool's log file: what was done to which resource, and every message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_COLOUR = re.compile(r"<\{%.*?%\}>")


def text(file: Path) -> str:
    """The whole log in words; empty if there is none. Lines that are no events are left out."""
    try:
        lines = file.read_text(errors="replace", encoding="utf-8").splitlines()
    except OSError:
        return ""
    return "\n".join(line for event in lines for line in _words(event))


def _words(line: str) -> Iterator[str]:
    try:
        event: dict[str, Any] = json.loads(line)
        for kind, done in (("resourcePreEvent", "begins"), ("resOutputsEvent", "done"), ("resOpFailedEvent", "FAILED")):
            if kind in event:
                told = event[kind]["metadata"]
                *_, type_, name = str(told["urn"]).split("::")
                yield f"{event.get('timestamp', '')} {told['op']} {type_.rsplit(':', 1)[-1]} {name}: {done}"
        if event.get("diagnosticEvent", {}).get("severity", "debug") != "debug":
            told = event["diagnosticEvent"]
            yield f"{told['severity']}: {_COLOUR.sub('', told['message']).rstrip()}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return
