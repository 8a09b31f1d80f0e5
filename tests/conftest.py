"""Rules for every test: where engines are required, a skip is a failure."""

from __future__ import annotations

import gc
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from labkit.lifecycle import suite_processes
from labkit.lifecycle.state import has_resources
from labkit.lifecycle.suite_processes import interrupt_once
from labkit.system import stack_files
from labkit.system.paths import CHECKOUT
from tests.lanes import Lanes, lane

# How fast something is is measured by ./lab bench, not here.
settings.register_profile("suite", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# A run in the background inherits an ignored Ctrl-C, which every program under test would inherit in turn. TERM is
# as Ctrl-C, and one Ctrl-C that comes from the terminal and from ./lab test as well is one: fixtures come to their end.
interrupt_once()

ENGINES_REQUIRED = os.environ.get("VVC_TESTS") == "1"
"""Set by `./lab test`, which has brought everything that a test may need."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest lanes come first, so that they are begun when the short ones run beside them."""
    items.sort(key=lambda item: lane(item.nodeid)[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    """By lanes, whatever else is asked for."""
    return Lanes(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """By plain pytest engine tests work on this checkout's own labs: one that is up is its person's, and is kept."""
    gc.freeze()  # a thousand tests and all that they import stay: no collection need look at them again
    if not suite_processes.tests_run_in(CHECKOUT) and any(item.get_closest_marker("engine") for item in session.items):
        for lab in filter(has_resources, stack_files.names()):
            pytest.exit(f"The lab {lab} is up, and these tests would take it down. They leave it be in: ./lab test", 1)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run with skips fails, and one without tests as well (pytest's own rule)."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if ENGINES_REQUIRED and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
