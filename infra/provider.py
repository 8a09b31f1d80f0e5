"""Dynamic resources whose failure is one sentence in Pulumi's output; the traceback goes into a log."""

from __future__ import annotations

import logging
import time

from pulumi.dynamic import ConfigureRequest, ResourceProvider

from infra import machine, surprise


class Provider(ResourceProvider):
    """gRPC shows a traceback of whatever a provider raises, beside the sentence that Pulumi shows: this one does not.

    Pulumi asks each provider to configure itself before anything else.
    """

    def configure(self, req: ConfigureRequest) -> None:
        """Have gRPC's tracebacks written into a log of this checkout."""
        super().configure(req)
        logger = logging.getLogger("grpc._server")
        if not any(isinstance(known, _IntoLog) for known in logger.filters):
            logger.addFilter(_IntoLog())


class _IntoLog(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return True
        name = f"{time.strftime('%Y%m%dT%H%M%S')}-provider.log"
        surprise.note(error, machine.CHECKOUT / ".state" / "logs" / name)
        return False
