"""Pulumi's event log in words: resources and messages, nothing of the rest."""

from __future__ import annotations

import json
from pathlib import Path

from labkit.lifecycle import _events

URN = "urn:pulumi:deployment::vm-vs-container::a$libvirt:index/domain:Domain::vm-1"


def test_resources_and_messages_become_lines(tmp_path: Path) -> None:
    """Debug messages are left out, colours too; a line cut off by a kill is no problem."""
    events = [
        {"timestamp": 7, "resourcePreEvent": {"metadata": {"op": "create", "urn": URN}}},
        {"timestamp": 8, "diagnosticEvent": {"severity": "debug", "message": "noise"}},
        {"timestamp": 8, "diagnosticEvent": {"severity": "error", "message": "<{%fg 1%}>it broke<{%reset%}>\n"}},
        {"timestamp": 9, "resOpFailedEvent": {"metadata": {"op": "create", "urn": URN}}},
        {"timestamp": 9, "summaryEvent": {"durationSeconds": 2}},
    ]
    file = tmp_path / "events.json"
    file.write_text("\n".join(map(json.dumps, events)) + '\n{"diagnosticEv', encoding="utf-8")
    assert _events.text(file).splitlines() == [
        "7 create Domain vm-1: begins",
        "error: it broke",
        "9 create Domain vm-1: FAILED",
    ]


def test_no_event_log_is_no_text(tmp_path: Path) -> None:
    assert _events.text(tmp_path / "none") == ""
