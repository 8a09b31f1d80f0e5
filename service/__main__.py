"""`python3 -m service`: be stoppable first, then load the rest."""

import gc
import signal
from types import FrameType


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


# Before the slow imports: a container's PID 1 without a handler ignores SIGTERM. While uvicorn serves it has its own
# handlers (finish what is in flight) and raises the signal again afterwards: that ends here, with status 0.
signal.signal(signal.SIGTERM, _stop)
signal.signal(signal.SIGINT, _stop)

# The modules stay for good: looking for garbage among them takes a tenth of the start.
gc.disable()

from service.app import main  # noqa: E402 - see above

gc.freeze()
gc.enable()

raise SystemExit(main())
