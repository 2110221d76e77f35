"""Where the program begins: nothing is imported before Ctrl-C is told in a word."""

from __future__ import annotations

import gc
import signal

from cosim.engine.executors.interrupts import interrupted

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""By default 700: then looking for garbage among modules and tables, which are none, takes a quarter of the imports."""


def main() -> None:
    """Run the command line; also while something is being imported, Ctrl-C ends it without a traceback."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a job in the background does not listen to it
        signal.signal(signal.SIGINT, interrupted)
    from cosim.cli.app import main as run

    run()
