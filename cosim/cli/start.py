"""Where the program begins: nothing is imported before Ctrl-C is told in a word."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; also while it is still being imported, Ctrl-C ends it without a traceback."""
    try:
        from cosim.cli.app import main as run
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)  # noqa: T201
        raise SystemExit(130) from None
    run()
