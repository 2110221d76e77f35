"""The process that pool processes are forked from, and Ctrl-C kept away from it: that is for the coordinator alone."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker

PRELOAD = "cosim.engine.executors.preload"
"""The module whose import prepares the process that workers are forked from."""


def start_fork_server(module: str) -> None:
    """Start the process that pool processes are forked from, unless it runs; it imports `module` in the meantime.

    A terminal sends Ctrl-C to every process of a run. This one and its children inherit that they do not hear it.
    """
    forkserver.set_forkserver_preload([module])
    resource_tracker.ensure_running()  # it would unblock the signal again
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


@contextmanager
def main_unnamed() -> Generator[None]:
    """Let processes that are started inside not import the caller's script: work is found by the modules it names.

    Otherwise a script that calls `cosim.run` outside ``if __name__ == "__main__"`` would run again in each of them.
    """
    main = sys.modules["__main__"]
    known = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    for name in known:
        setattr(main, name, None)
    try:
        yield
    finally:
        for name, value in known.items():
            setattr(main, name, value)
