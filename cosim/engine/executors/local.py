"""Computes stages on a pool of processes of this machine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType

from cosim.engine.executors.executor import Completion
from cosim.engine.executors.fork_server import main_unnamed, start_fork_server
from cosim.engine.executors.interrupts import interrupts_held
from cosim.engine.record import StageTime
from cosim.engine.stage import Stage
from energy_models.errors import CosimError

POLL_SECONDS = 0.25
KEPT = "Finished stages are kept; continue with `cosim resume`."


class LocalExecutor:
    """Holds a pool of processes open; left through an error, what is being computed is cancelled.

    Parameters
    ----------
    workers : int
        Processes.
    run : callable
        ``run(stage)`` computes and keeps one stage and returns its time; it can be pickled.
    start : callable
        A top-level function that prepares each process.
    preload : str
        The module that is imported once for all of them; empty: that of `start`.
    """

    def __init__(
        self, workers: int, run: Callable[[Stage], StageTime], start: Callable[[], None], preload: str = ""
    ) -> None:
        self._workers, self._run = workers, run
        start_fork_server(preload or start.__module__)
        context = multiprocessing.get_context("forkserver")
        self._pool = ProcessPoolExecutor(workers, mp_context=context, initializer=start)
        self._before = {child.pid for child in multiprocessing.active_children()}
        self._running: dict[Future[StageTime], Stage] = {}

    def __enter__(self) -> LocalExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def capacity(self) -> int:
        """How many stages it computes at once."""
        return self._workers

    def submit(self, stage: Stage) -> None:
        """Begin a stage; the first ones also start the processes.

        Raises
        ------
        CosimError
            If a process died, or none can be started.
        """
        try:
            with interrupts_held(), main_unnamed():
                self._running[self._pool.submit(self._run, stage)] = stage
        except BrokenProcessPool as error:  # it died since the last poll
            raise _died(stage) from error
        except (OSError, EOFError) as error:  # the fork server ends a connection where it cannot fork
            raise CosimError(
                f"no worker process can be started ({error})", where=_named(stage),
                remedy="Close other programs or use fewer --workers. " + KEPT,
            ) from error

    def poll(self) -> Sequence[Completion]:
        """Return what has ended since the last call, waiting a moment for something to end.

        Raises
        ------
        CosimError
            If a process died.
        """
        if not self._running:
            return ()
        ended, _ = wait(self._running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        return [_completion(self._running.pop(future), future) for future in ended]

    def cancel(self) -> None:
        """End the pool's processes now; what they were computing is not kept."""
        for child in multiprocessing.active_children():
            if child.pid not in self._before:
                child.terminate()


def _named(stage: Stage) -> str:
    return f"stage {stage.kind}/{stage.digest}"


def _died(stage: Stage) -> CosimError:
    return CosimError(
        "a worker process died", where=_named(stage),
        remedy="It may have run out of memory: use fewer --workers. " + KEPT,
    )


def _completion(stage: Stage, future: Future[StageTime]) -> Completion:
    error = future.exception()
    if isinstance(error, BrokenProcessPool):
        raise _died(stage) from error
    if error is not None and not isinstance(error, Exception):
        raise error
    return Completion(stage, future.result() if error is None else error)
