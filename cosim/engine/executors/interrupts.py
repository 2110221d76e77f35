"""Ctrl-C and SIGTERM: they end a run, wait while a process is started, and are remembered where Python drops them.

An exception that a signal handler raises inside a finaliser or the callback of a weak reference is dropped: Python
tells it to `sys.unraisablehook` and goes on. A signal is therefore noted as well as raised; a dropped one is raised
where the run looks (`end_if_asked`), and at the end of the block at the latest. What a library logs of it on the way,
as SQLAlchemy's finaliser does with its traceback, is not printed.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import FrameType

EXIT_INTERRUPTED = 130


class TerminatedError(KeyboardInterrupt):
    """The run was asked to end by SIGTERM, as batch systems do before they kill."""


_RAISED: Mapping[int, type[KeyboardInterrupt]] = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: TerminatedError}
_noted: list[int] = []  # signals that came in the block that heeds them; handlers belong to the process as well


def interrupted(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt at Ctrl-C; where something is being imported, end at once instead.

    A library whose import is interrupted may raise another error, abort, or drop the interrupt and go on.

    Raises
    ------
    KeyboardInterrupt
    """
    inner = frame
    while inner is not None:
        if inner.f_code.co_filename.startswith("<frozen importlib"):
            print("Stopped.", file=sys.stderr, flush=True)  # noqa: T201
            os._exit(EXIT_INTERRUPTED)
        inner = inner.f_back
    signal.default_int_handler(number, frame)


def end_if_asked() -> None:
    """Raise what a signal asked for whose exception was dropped.

    Raises
    ------
    KeyboardInterrupt
        Where Ctrl-C was pressed; `TerminatedError` for SIGTERM.
    """
    if _noted:
        raise _RAISED[_noted[0]]


def _end(number: int, _frame: FrameType | None) -> None:
    _noted.append(number)
    raise _RAISED[number]


def _tells_other(record: logging.LogRecord) -> bool:
    """True for a record to print: of anything but the exception that a noted signal raised."""
    kind = record.exc_info[0] if record.exc_info else None
    return not (_noted and kind is not None and issubclass(kind, KeyboardInterrupt))


@contextmanager
def termination_heeded() -> Generator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that processes are ended and locks and partial stages cleared.

    Ctrl-C is heeded where it raises `KeyboardInterrupt`; a caller that ignores it, or has a handler, keeps that.

    Raises
    ------
    KeyboardInterrupt
        When Ctrl-C is pressed; `TerminatedError` for SIGTERM. At the end of the block where it was dropped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, _end)}
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, interrupted):
        before[signal.SIGINT] = signal.signal(signal.SIGINT, _end)
    told = sys.unraisablehook

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if not (_noted and issubclass(what.exc_type, KeyboardInterrupt)):
            told(what)

    sys.unraisablehook = dropped
    printing = [one for one in (logging.lastResort, *logging.getLogger().handlers) if one is not None]
    for one in printing:
        one.addFilter(_tells_other)
    try:
        yield
        end_if_asked()
    finally:
        sys.unraisablehook = told
        for one in printing:
            one.removeFilter(_tells_other)
        for number, handler in before.items():
            signal.signal(number, handler)
        _noted.clear()


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
    waiting: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        waiting.append(number)

    for number in heeded:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
    for number in waiting[:1]:
        signal.raise_signal(number)
