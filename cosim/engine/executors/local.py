"""Runs stages on a pool of local processes, each one after the stages it builds on."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cosim.engine.executors.fork_server import interrupts_held, start_fork_server
from cosim.engine.stage import Stage, with_ancestors
from energy_models.errors import CosimError, DataError, StudentError, WorkloadError

# What one decoder cannot do, such as learn or give finite outputs; other errors concern the run.
ALONE = (StudentError, DataError, WorkloadError)
POLL_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the pool is: stages done (found ones not counted), stages asked for, and the kinds now running."""

    done: int
    asked: int
    running: tuple[str, ...]


class StagePool:
    """Holds the pool open. Earlier stages go first, so that points finish one after the other.

    Parameters
    ----------
    root : Path
        Run folder.
    workers : int
        Processes.
    run : callable
        ``run(root, stage)``, a top-level function that computes and keeps one stage.
    start : callable
        Prepares each process.
    """

    def __init__(
        self, root: Path, workers: int, run: Callable[[Path, Stage], str], start: Callable[[], None]
    ) -> None:
        self._root, self._workers, self._run = root, workers, run
        start_fork_server(run.__module__)
        context = multiprocessing.get_context("forkserver")
        self._executor: Executor = ProcessPoolExecutor(workers, mp_context=context, initializer=start)
        self._before = {child.pid for child in multiprocessing.active_children()}
        self._waiting: dict[str, Stage] = {}
        self._running: dict[Future[str], Stage] = {}
        self._done: set[str] = set()
        self._failed: dict[str, str] = {}
        self._computed = 0

    def __enter__(self) -> StagePool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._terminate()
        self._executor.shutdown(wait=True, cancel_futures=True)

    @property
    def failures(self) -> Mapping[str, str]:
        """What went wrong, by the digest of every stage that failed or builds on one that did."""
        return self._failed

    @property
    def progress(self) -> Progress:
        """Where the pool stands now."""
        running = tuple(sorted(stage.kind for stage in self._running.values()))
        return Progress(self._computed, self._computed + len(self._waiting) + len(self._running), running)

    @property
    def hungry(self) -> bool:
        """Whether a process would be idle with what is asked for now."""
        return len(self._waiting) + len(self._running) < self._workers

    def add(self, stage: Stage) -> None:
        """Ask for a stage and, before it, everything it builds on that is not finished."""
        for needed in with_ancestors(stage):
            if needed.digest in self._done or needed.digest in self._failed:
                continue
            if needed.finished(self._root):
                self._done.add(needed.digest)
            elif all(needed is not running and needed.digest != running.digest for running in self._running.values()):
                self._waiting.setdefault(needed.digest, needed)

    def settled(self, stage: Stage) -> bool:
        """Return whether the stage is finished or can no longer be."""
        return stage.digest in self._done or stage.digest in self._failed

    def step(self) -> None:
        """Start what can be started, then wait a moment for something to finish.

        Raises
        ------
        CosimError
            Any that concerns the whole run, such as a full disk; a decoder that cannot be fitted or
            scored fails alone and is told in `failures`.
        """
        self._start_ready()
        if not self._running:
            return
        finished, _ = wait(self._running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
        for future in finished:
            self._finish(self._running.pop(future), future)

    def _start_ready(self) -> None:
        for stage in list(self._waiting.values()):
            broken = next((p for p in stage.parents.values() if p.digest in self._failed), None)
            if broken is not None:
                self._failed[stage.digest] = self._failed[broken.digest]
                del self._waiting[stage.digest]
            elif len(self._running) < self._workers and all(p.digest in self._done for p in stage.parents.values()):
                del self._waiting[stage.digest]
                with interrupts_held():  # the first stages also start the processes
                    self._running[self._executor.submit(self._run, self._root, stage)] = stage

    def _finish(self, stage: Stage, future: Future[str]) -> None:
        try:
            self._done.add(future.result())
            self._computed += 1
        except ALONE as error:
            if stage.kind == "baseline":  # chosen by hand for these recordings: told at once, not after hours
                raise
            self._failed[stage.digest] = str(error)
        except BrokenProcessPool as error:
            raise CosimError(
                f"a worker process died while computing a stage of kind '{stage.kind}'",
                where=str(self._root),
                remedy="It may have run out of memory: use fewer --workers. Finished stages are kept; "
                "continue with `cosim resume`.",
            ) from error

    def _terminate(self) -> None:
        """End the pool's processes now; what they were computing is not kept."""
        for child in multiprocessing.active_children():
            if child.pid not in self._before:
                child.terminate()
