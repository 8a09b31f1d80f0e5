"""Decides from a system call trace whether every 201 left after an fsync that came back. Pure.

Take the trace of the running service with `strace STRACE_OPTIONS -o FILE -p PID`, send writes, end strace, and give
FILE's text to `check_order`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

STRACE_OPTIONS = (
    "-f",
    "-y",
    "-s",
    "64",
    "-e",
    "trace=fsync,fdatasync,read,recvfrom,recvmsg,write,writev,sendto,sendmsg",
    "-e",
    "signal=none",
)

_SYNCS = frozenset({"fsync", "fdatasync"})
_READS = frozenset({"read", "recvfrom", "recvmsg"})
_SENDS = frozenset({"write", "writev", "sendto", "sendmsg"})
_LINE = re.compile(
    r"(?:\[pid\s+)?(?P<pid>\d+)?\]?\s*(?:[\d:.]+\s+)?(?P<rest>(?:<\.\.\. )?[a-z_0-9]+(?: resumed>|\().*)"
)
_START = re.compile(r"(?P<call>[a-z_0-9]+)\((?P<fd>\d+)(?:<(?P<target>[^>]*)>)?")
_RESUMED = re.compile(r"<\.\.\. (?P<call>[a-z_0-9]+) resumed>")
_RESULT = re.compile(r"\)?\s+= (?P<value>-?\d+)(?: .*)?$")


@dataclass
class _Call:
    name: str
    fd: str
    target: str
    begin: int
    end: int | None = None
    result: int | None = None


@dataclass(frozen=True)
class Order:
    """What a trace shows. `acknowledged`: answers 201 seen; `violations`: one sentence for each without an fsync."""

    acknowledged: int
    violations: tuple[str, ...] = field(default=())

    @property
    def holds(self) -> bool:
        """At least one write was acknowledged, and none before its fsync had returned."""
        return self.acknowledged > 0 and not self.violations


def check_order(trace: str, *, file: str = "entries.sqlite3") -> Order:
    """For each 201 sent on a connection: an fsync began after the request had been read there and returned 0 before.

    Where the trace names the synced file (strace -y), the name must contain `file`.
    """
    calls = _calls(trace)
    violations: list[str] = []
    acknowledged = 0
    for sent, line in calls:
        if sent.name not in _SENDS or '"HTTP/1.1 201 ' not in line:
            continue
        acknowledged += 1
        reads = [
            call.end
            for call, _ in calls
            if call.name in _READS and call.fd == sent.fd and (call.result or 0) > 0 and _ended_before(call, sent)
        ]
        since = max((end for end in reads if end is not None), default=None)
        if since is None:
            violations.append(f"line {sent.begin + 1}: 201 on descriptor {sent.fd}, whose request is not in the trace")
            continue
        synced = any(
            call.name in _SYNCS
            and call.begin > since
            and call.result == 0
            and _ended_before(call, sent)
            and (not call.target or file in call.target)
            for call, _ in calls
        )
        if not synced:
            violations.append(
                f"line {sent.begin + 1}: 201 on descriptor {sent.fd}, and no fsync began after its request was read"
                f" (line {since + 1}) and returned 0 before it"
            )
    return Order(acknowledged, tuple(violations))


def _ended_before(call: _Call, other: _Call) -> bool:
    return call.end is not None and call.end < other.begin


def _calls(trace: str) -> list[tuple[_Call, str]]:
    """The calls in the order of their begin, each with the line that shows its arguments."""
    calls: list[tuple[_Call, str]] = []
    pending: dict[str, _Call] = {}
    for number, line in enumerate(trace.splitlines()):
        matched = _LINE.match(line)
        if matched is None:
            continue
        thread, rest = matched["pid"] or "", matched["rest"]
        call = None
        if resumed := _RESUMED.match(rest):
            call = pending.pop(thread, None)
            if call is None or call.name != resumed["call"]:
                continue  # the trace began within this call
        elif start := _START.match(rest):
            call = _Call(start["call"], start["fd"], start["target"] or "", number)
            calls.append((call, line))
            if rest.endswith("<unfinished ...>"):
                pending[thread] = call
                continue
        if call is not None and (result := _RESULT.search(rest)):
            call.end, call.result = number, int(result["value"])
    return calls
