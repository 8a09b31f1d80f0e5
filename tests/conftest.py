"""Rules for every test: where engines are required, a skip is a failure."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# How fast something is is measured by ./lab bench, not here.
settings.register_profile("suite", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A run in the background inherits an ignored Ctrl-C, which every program under test would inherit in turn.
signal.signal(signal.SIGINT, signal.default_int_handler)

ENGINES_REQUIRED = os.environ.get("VVC_TESTS") == "1"
"""Set by `./lab test`, which has brought everything that a test may need."""


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run with skips fails, and one without tests as well (pytest's own rule)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if ENGINES_REQUIRED and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
