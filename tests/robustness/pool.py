"""Processes that read inputs, watched: one that takes too long or dies is replaced, and its input is told."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.robustness.outcomes import Ending
from tests.robustness.worker import Setting, serve

LIMIT_S = 20.0
"""Of a processor for one input [s]; on a loaded machine it may wait far longer."""
WAITS = 10
"""Times the limit after which an input hangs that computes nothing."""
FIRST_S = 60.0
"""Likewise for the first input of a kind, for which libraries are imported and a sound one is written [s]."""
Task = tuple[str, int]


@dataclass(slots=True)
class _Worker:
    process: BaseProcess
    inputs: Connection
    known: set[str]
    task: Task | None = None
    limit_s: float = 0.0
    begun: float = 0.0
    spent_s: float = 0.0

    def hangs(self) -> bool:
        """Return whether the input takes longer than it may."""
        passed_s = time.monotonic() - self.begun
        return passed_s > self.limit_s and (
            _spent(self.process) - self.spent_s > self.limit_s or passed_s > WAITS * self.limit_s
        )


def _spent(process: BaseProcess) -> float:
    """Return the time of a processor that a process has used [s]; 0 of one that is gone."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


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
                if worker.task and worker.inputs not in ready and worker.hangs():
                    yield self._lost(place, "hang")
                    self._give(place, left)

    def _give(self, place: int, left: Iterator[Task]) -> None:
        worker = self._workers[place]
        worker.task = next(left, None)
        if worker.task is None:
            return
        worker.begun = time.monotonic()
        worker.spent_s = _spent(worker.process)
        worker.limit_s = LIMIT_S if worker.task[0] in worker.known else FIRST_S
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
