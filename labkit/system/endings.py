"""How a program ended, in words. Pure."""

from __future__ import annotations

import signal

_BY_SHELL = 128
"""A shell, and `docker exec`, say 128 and the signal's number of a program that a signal ended."""

_REASONS = {
    signal.SIGILL: "an instruction that this CPU does not have: ./lab doctor says which",
    signal.SIGSEGV: "a fault in that program itself",
    signal.SIGBUS: "a fault in that program itself, or a full disk",
    signal.SIGABRT: "it gave itself up",
    signal.SIGKILL: "by somebody, or by the kernel for lack of memory: dmesg says so",
}


def in_words(status: int) -> str:
    """An exit status, negative for a signal."""
    number = -status if status < 0 else status - _BY_SHELL
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"exit status {status}"
    reason = _REASONS.get(signal.Signals(number))
    if status > 0 and reason is None:  # a program's own status may be as high
        return f"exit status {status}"
    told = f"ended by {name}" if status < 0 else f"exit status {status}, as after {name}"
    return f"{told} ({reason})" if reason else told
