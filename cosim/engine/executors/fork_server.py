"""The process that pool processes are forked from, and Ctrl-C kept away from it: that is for the coordinator alone."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from types import FrameType

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


class TerminatedError(KeyboardInterrupt):
    """The run was asked to end by SIGTERM, as batch systems do before they kill."""


@contextmanager
def termination_heeded() -> Generator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that processes are ended and locks and partial stages cleared.

    Raises
    ------
    TerminatedError
        When the signal comes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _frame: FrameType | None) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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


@contextmanager
def interrupts_held() -> Generator[None]:
    """Let Ctrl-C and SIGTERM wait until the block ends, so that no process is half started; then heed them.

    A process that is half started is known to nobody, and would look for locks that are gone.

    Raises
    ------
    KeyboardInterrupt
        At the end, where Ctrl-C was pressed meanwhile; `TerminatedError` for SIGTERM where `termination_heeded`.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    heeded = {number: handler for number, handler in handlers.items() if callable(handler)}
    if threading.current_thread() is not threading.main_thread() or not heeded:
        yield
        return
    noted: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        noted.append(number)

    for number in heeded:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
    for number in noted[:1]:
        signal.raise_signal(number)
