"""What a Dask scheduler sees of a stage: bytes. It unpacks every task, and need not import what computes one."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, cast

from cosim.engine.record import StageTime
from cosim.engine.stage import Stage


def packed(run: Callable[[Stage], StageTime], stage: Stage) -> bytes:
    """Return a stage and what computes it, for `call`."""
    return cast(bytes, _dask_packing().dumps((run, stage)))


def call(task: bytes) -> StageTime:
    """Compute a packed stage, in the thread of a worker that computes: the first one imports for seconds."""
    run, stage = cast("tuple[Callable[[Stage], StageTime], Stage]", _dask_packing().loads(task))
    return run(stage)


def _dask_packing() -> Any:
    """Return what Dask packs every task with on its way."""
    return import_module("distributed.protocol.pickle")
