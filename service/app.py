"""Starts one replica: settings, store, socket, server, in this order; and undoes it when asked to stop."""

from __future__ import annotations

import os
import platform
import socket
import sys
import time
from pathlib import Path

import uvicorn

from service.api import Api, utc
from service.settings import Release, Settings, SettingsError, read_release, read_settings
from service.store import Store, StoreError
from service.work import Worker

EXIT_SETTINGS = 78
"""sysexits.h EX_CONFIG: starting it again will not help."""
STOP_WAIT_S = 3
"""How long requests under way may take to end after SIGTERM; below the 10 s after which both sides kill."""
BACKLOG = 1024


def main() -> int:
    """Run until SIGTERM; the exit status."""
    try:
        settings = read_settings(os.environ)
        release = read_release(Path(__file__).with_name("release.json"))
    except SettingsError as error:
        for problem in error.problems:
            _say(problem)
        return EXIT_SETTINGS
    worker, store = Worker(), Store(settings.data_dir)
    try:
        store.open()
    except StoreError as error:
        _say(f"starts without its store, and tries again with each request: {error}")
    try:
        listener = _listen(settings)
        app = Api(store, worker, _identity(settings, release)).application()
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=STOP_WAIT_S,
        )
        host, port = listener.getsockname()[:2]
        _say(f"replica {settings.replica} ({settings.side}), version {release.version}, listens on {host} port {port}")
        uvicorn.Server(config).run(sockets=[listener])
    except OSError as error:
        _say(f"cannot listen on {settings.host} port {settings.port}: {error}")
        return 1
    finally:
        worker.close()
        store.close()
    return 0


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)


def _identity(settings: Settings, release: Release) -> dict[str, object]:
    """What /whoami answers. Times since boot are on the clock that the kernel and init use in their logs."""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    started_boottime_s = _started_boottime_s()
    now_s, now_boottime_s = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
    return {
        "replica": settings.replica,
        "side": settings.side,
        "server": settings.server,
        "version": release.version,
        "commit": release.commit,
        "kernel_release": platform.release(),
        "boot_id": boot_id.read_text(encoding="utf-8").strip(),
        "pid": os.getpid(),
        "python": platform.python_version(),
        "started_at": utc(now_s - (now_boottime_s - started_boottime_s)),
        "started_boottime_s": started_boottime_s,
        "listening_boottime_s": round(now_boottime_s, 3),
    }


def _started_boottime_s() -> float:
    """Seconds from the kernel's boot to this process's start; resolution one tick, usually 10 ms."""
    after_name = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(after_name[19]) / os.sysconf("SC_CLK_TCK")


def _say(text: str) -> None:
    sys.stderr.write(f"vvc-service: {text}\n")
    sys.stderr.flush()
