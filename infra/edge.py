"""What the edge is told: one port a side, in front of the places where its replica may be. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

_SETTINGS = """global
  log stdout format raw local0 info
  stats socket /run/haproxy.sock mode 600 level admin
defaults
  mode http
  log global
  option httpchk GET /healthz
  option redispatch 1
  http-error status 503 content-type text/plain string "the edge finds no place where the replica answers"
  retries 2
  timeout connect 200ms
  timeout check 2s
  timeout client 60s
  timeout server 60s
  default-server inter 200ms fastinter 100ms downinter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
"""
"""The timers are equal for both sides; what they lose between a replica's first answer and the client's is 0.2 s.

A check's connection is given `inter`, its answer `timeout check`: an emulated guest beside other work needs a second
for one, and is well.
"""


def configuration(sides: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """HAProxy's configuration, from side -> the edge's URL and the URLs behind it."""
    parts = [_SETTINGS]
    for side, (url, behind) in sides.items():
        lines = [f"listen {side}", f"  bind :{urlsplit(url).port}"]
        lines += [f"  server place-{number} {urlsplit(one).netloc} check" for number, one in enumerate(behind, 1)]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)
