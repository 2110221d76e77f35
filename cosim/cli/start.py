"""Where the program begins: nothing is imported before Ctrl-C is told in a word."""

from __future__ import annotations

import gc
import os
import signal
import sys

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""By default 700: then looking for garbage among modules and tables, which are none, takes a quarter of the imports."""


def main() -> None:
    """Run the command line; also while it is still being imported, Ctrl-C ends it without a traceback."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    listened = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # a job in the background does not
    if listened:
        signal.signal(signal.SIGINT, _stop)
    from cosim.cli.app import main as run

    if listened:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run()


def _stop(*_: object) -> None:
    """End at once: a library whose import is interrupted may raise another error, and nothing is written yet."""
    print("Stopped.", file=sys.stderr, flush=True)  # noqa: T201
    os._exit(130)
