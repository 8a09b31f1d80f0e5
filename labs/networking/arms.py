"""The arms of the lab *networking*: each side along each of its paths."""

from __future__ import annotations

from infra.paths import KINDS
from labkit.runs.records import Arm

PATH = "path"
"""The factor's name."""

ARMS = {row.name: Arm(row.side, {PATH: row.name}) for row in KINDS.values()}
"""Path -> the arm that goes along it."""

BRIDGED, NAT = ARMS["bridged"], ARMS["nat"]
ONE_SIDE = "it holds two paths of one side against each other, of which the article says nothing"
"""Why a claim on what translating ports costs stands beside the row."""
PUBLISHED, ADDRESS, HOST = ARMS["published"], ARMS["address"], ARMS["host"]
