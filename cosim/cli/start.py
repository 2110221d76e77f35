"""Where the program begins: nothing is imported before Ctrl-C is told in a word."""

from __future__ import annotations

import gc
import sys

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""By default 700: then looking for garbage among modules and tables, which are none, takes a quarter of the imports."""


def main() -> None:
    """Run the command line; also while it is still being imported, Ctrl-C ends it without a traceback."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        from cosim.cli.app import main as run
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)  # noqa: T201
        raise SystemExit(130) from None
    run()
