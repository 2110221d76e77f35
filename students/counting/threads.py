"""Work that a model hands to other threads or draws by chance outside torch.

A dispatch mode sees the operations of its own thread only. Tasks given to a `ThreadPoolExecutor` run at once in the
thread that hands them in, so that they are counted; threads and pools of other kinds are listed as uncounted.
"""

from __future__ import annotations

import multiprocessing.pool
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from inspect import getattr_static
from types import FunctionType
from typing import Any

import numpy as np
from torch import nn

from students.counting.dispatch import Tracer

UNSEEN = "it is handed to another thread or process, whose operations are not seen"
DRAWN = "random numbers are drawn outside torch: what depends on them is not seen, and differs from run to run"

_OTHERS: tuple[tuple[type, str], ...] = (
    (threading.Thread, "start"),
    (ProcessPoolExecutor, "submit"),
    (multiprocessing.pool.Pool, "apply_async"),
    (multiprocessing.pool.Pool, "_map_async"),
    (multiprocessing.pool.Pool, "imap"),
    (multiprocessing.pool.Pool, "imap_unordered"),
)
"""Methods that hand work to another thread or process."""

_lock = threading.Lock()
_tracers: dict[int, Tracer] = {}
_own: dict[tuple[type, str], Any] = {}


@contextmanager
def threads_followed(tracer: Tracer) -> Iterator[None]:
    """Run tasks of thread pools in this thread, and list other threads, while the block runs."""
    thread = threading.get_ident()
    with _lock:
        if not _tracers:
            _install()
        outer = _tracers.get(thread)
        _tracers[thread] = tracer
    try:
        yield
    finally:
        with _lock:
            if outer is None:
                del _tracers[thread]
            else:
                _tracers[thread] = outer
            if not _tracers:
                for (kind, name), method in _own.items():
                    setattr(kind, name, method)
                _own.clear()


def _install() -> None:
    for kind, name in ((ThreadPoolExecutor, "submit"), *_OTHERS):
        original = _own[kind, name] = getattr(kind, name)
        setattr(kind, name, _submit(original) if kind is ThreadPoolExecutor else _listed(original))


def _submit(original: Callable[..., Any]) -> Callable[..., Any]:
    def submit(self: Any, task: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() not in _tracers:
            return original(self, task, *args, **kwargs)
        done: Future[Any] = Future()
        try:
            done.set_result(task(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  whoever asks for the result gets it
            done.set_exception(error)
        return done

    return submit


def _listed(original: Callable[..., Any]) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        tracer = _tracers.get(threading.get_ident())
        if tracer is not None:
            tracer.mark_uncounted("thread", UNSEEN)
        return original(self, *args, **kwargs)

    return method


@contextmanager
def chance_noted(tracer: Tracer) -> Iterator[None]:
    """List random numbers drawn while the block runs: of generators that Python and numpy share, or a model holds."""
    own = _held(tracer.contexts[0].module)
    before = _states(own)
    yield
    if before != _states(own):
        tracer.mark_uncounted("random", DRAWN)


def _held(model: nn.Module) -> list[Any]:
    """Return generators of random numbers among a model's attributes, and those its forwards name or close over.

    A generator that is made anew in every call shows its numbers as constants.
    """
    values: list[object] = []
    functions: set[FunctionType] = set()
    for module in model.modules():
        values += vars(module).values()
        forward = getattr_static(type(module), "forward", None)  # a scripted class computes its own
        functions |= {one for one in (forward, *vars(module).values()) if isinstance(one, FunctionType)}
    for function in functions:
        values += (function.__globals__.get(name) for name in function.__code__.co_names)
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # nothing is in it yet
                values.append(cell.cell_contents)
    kinds = random.Random | np.random.Generator | np.random.RandomState
    return list({id(one): one for one in values if isinstance(one, kinds)}.values())


def _states(own: Sequence[Any]) -> tuple[object, ...]:
    """Return the states of the shared generators, and of a model's own."""
    shared = random.getstate(), _compared(np.random.get_state(legacy=False))
    return *shared, *map(_state, own)


def _state(one: Any) -> object:
    if isinstance(one, random.Random):
        return None if isinstance(one, random.SystemRandom) else one.getstate()
    return _compared(one.bit_generator.state if isinstance(one, np.random.Generator) else one.get_state(legacy=False))


def _compared(state: object) -> object:
    """Return a generator's state as values that compare as wholes, arrays by their bytes."""
    if isinstance(state, dict):
        return tuple((name, _compared(value)) for name, value in state.items())
    return state.tobytes() if isinstance(state, np.ndarray) else state
