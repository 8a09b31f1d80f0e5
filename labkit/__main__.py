"""`python -m labkit`: the tool behind ./lab. Nothing but the standard library until a person can be told of a fault."""

import signal
import sys

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are loaded: nothing has begun that is to be undone
for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # a terminal that cannot show a letter shows another
try:
    from labkit.cli import main
except Exception as error:  # noqa: BLE001 - whatever is broken, a person is told in a sentence
    from labkit import _unready

    sys.exit(_unready.tell(error))
main()
