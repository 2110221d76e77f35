"""Processes that read inputs, watched: one that takes too long or dies is replaced, and its input is told."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from tests.robustness.outcomes import Ending
from tests.robustness.worker import Setting, serve

LIMIT_S = 30.0
"""For one input [s]; a loaded machine included."""
FIRST_S = 180.0
"""For the first input of a kind, for which libraries are imported and a sound one is written [s]."""
Task = tuple[str, int]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    inputs: Connection
    known: set[str]
    task: Task | None = None
    until: float = 0.0
    begun: float = 0.0


class Pool:
    """Holds the processes.

    Parameters
    ----------
    count : int
    setting : Setting
    """

    def __init__(self, count: int, setting: Setting) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.robustness.kinds", "tests.robustness.preloaded"])
        self._setting = setting
        self._workers = [self._start() for _ in range(count)]

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, self._setting), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours, set())

    def run(self, tasks: Iterable[Task]) -> Iterator[Ending]:
        """Yield what each input ended in, in the order they end."""
        left = iter(tasks)
        for place in range(len(self._workers)):
            self._give(place, left)
        while any(worker.task for worker in self._workers):
            busy = {worker.inputs: place for place, worker in enumerate(self._workers) if worker.task}
            ready = wait(list(busy), timeout=0.2)
            for connection in ready:
                place = busy[connection]  # type: ignore[index]
                yield self._ended(place)
                self._give(place, left)
            for place in busy.values():
                worker = self._workers[place]
                if worker.task and worker.inputs not in ready and time.monotonic() > worker.until:
                    yield self._lost(place, "hang")
                    self._give(place, left)

    def _give(self, place: int, left: Iterator[Task]) -> None:
        worker = self._workers[place]
        worker.task = next(left, None)
        if worker.task is None:
            return
        worker.begun = time.monotonic()
        worker.until = worker.begun + (LIMIT_S if worker.task[0] in worker.known else FIRST_S)
        worker.known.add(worker.task[0])
        worker.inputs.send(worker.task)

    def _ended(self, place: int) -> Ending:
        try:
            return self._workers[place].inputs.recv()
        except EOFError:
            return self._lost(place, "crash")

    def _lost(self, place: int, end: str) -> Ending:
        worker = self._workers[place]
        worker.process.kill()
        worker.process.join()
        kind, number = worker.task or ("", 0)
        self._workers[place] = self._start()
        said = f"exit code {worker.process.exitcode}"
        return Ending(kind, number, "see --keep", end, said, time.monotonic() - worker.begun)

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.inputs.close()
