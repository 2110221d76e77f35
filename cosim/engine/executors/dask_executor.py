"""Computes stages on the workers of a Dask cluster; what they finish is in the shared run folder, not in Dask."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from importlib import import_module
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any
from uuid import uuid4

from cosim.engine.executors.dask_call import DaskJob, read_time_text, stage_text
from cosim.engine.executors.executor import Completion
from cosim.engine.executors.interrupts import interrupts_held
from cosim.engine.stage import Stage
from energy_models.errors import CosimError

POLL_SECONDS = 0.25
GATHER_SECONDS = 30.0
COUNT_SECONDS = 2.0
"""How old a count of workers may be [s]."""
MOST_RETURNS = 20
"""How often a stage is given to the cluster again after its connection broke off."""
KEPT = "Finished stages are kept; continue with `cosim resume`."


class DaskExecutor:
    """Gives stages to a Dask client, one for each worker; left through an error, what was given is cancelled.

    A worker that dies, or that the scheduler has not heard of for its ``worker-ttl``, has its stage computed by another
    one. Where both finish, the first result stands. A connection that broke off is taken up again by the client; stages
    it was waiting for are given to the cluster once more, and a worker finds those that were finished meanwhile.

    Parameters
    ----------
    client : distributed.Client
        Closed by its owner.
    job : DaskJob
        What a worker does with a stage.
    tell : callable
        Told when there is no worker to compute anything.
    look_after : callable
        Called every `COUNT_SECONDS`, where workers are to be kept there.
    """

    def __init__(
        self, client: Any, job: DaskJob, tell: Callable[[str], None], look_after: Callable[[], None] = lambda: None
    ) -> None:
        self._client, self._job, self._tell, self._look_after = client, job, tell, look_after
        self._killed: type[Exception] = import_module("distributed").KilledWorker
        self._given: dict[str, tuple[Any, Stage]] = {}
        self._returns: dict[str, int] = {}
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._workers, self._counted, self._told = 0, -COUNT_SECONDS, False

    def __enter__(self) -> DaskExecutor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.cancel()

    @property
    def capacity(self) -> int:
        """How many stages it computes at once: one a worker, and at least one, which then waits for a worker."""
        self._count()
        return max(1, self._workers)

    def _count(self) -> None:
        """Count the workers where that is long ago, and keep them there."""
        now = time.monotonic()
        if now - self._counted < COUNT_SECONDS or self._client.status != "running":
            return
        with contextlib.suppress(OSError):  # of a connection that breaks off now; the next poll tells
            self._workers = len(self._client.nthreads())
        self._look_after()
        self._counted = now
        if not self._workers and not self._told:
            self._tell("no worker is connected to the Dask scheduler yet, or any more; the run waits for one")
        self._told = not self._workers

    def submit(self, stage: Stage) -> None:
        """Begin a stage.

        Raises
        ------
        CosimError
            If the scheduler is gone.
        """
        self._refuse_closed()
        try:
            with interrupts_held():
                # A name of its own: Dask would answer a stage that was lost with its first result.
                name = f"{stage.kind}-{uuid4().hex}"
                task = self._job.call, dict(self._job.place), stage_text(stage)
                future = self._client.submit(*task, key=name, pure=False)
                self._given[future.key] = (future, stage)
                future.add_done_callback(self._ended.put)
        except (OSError, import_module("distributed.client").ClosedClientError) as error:
            raise _gone() from error

    def poll(self) -> Sequence[Completion]:
        """Return what has ended since the last call, waiting a moment for something to end.

        Raises
        ------
        CosimError
            If the scheduler is gone, or several workers died of one stage.
        """
        if not self._given:
            return ()
        self._refuse_closed()
        self._count()
        with contextlib.suppress(Empty):
            ended = [self._ended.get(timeout=POLL_SECONDS)]
            while not self._ended.empty():
                ended.append(self._ended.get())
            return [found for future in ended if (found := self._completion(future)) is not None]
        return ()

    def cancel(self) -> None:
        """Take back what was given; a worker that has begun ends its stage, which is kept where it is whole."""
        futures = [future for future, _ in self._given.values()]
        self._given.clear()
        with contextlib.suppress(OSError, RuntimeError):  # a scheduler that is gone has forgotten them
            self._client.cancel(futures, force=True)

    def _completion(self, future: Any) -> Completion | None:
        """Return how a future ended; None for one taken back, and for one whose stage was given again."""
        _, stage = self._given.pop(future.key, (None, None))
        if stage is None:
            return None
        if future.status == "error":
            error = future.exception(timeout=GATHER_SECONDS)
            if isinstance(error, self._killed):
                raise _died(stage) from error
            return Completion(stage, error)
        if future.status == "finished":
            with contextlib.suppress(OSError, TimeoutError, CancelledError):
                return Completion(stage, read_time_text(future.result(timeout=GATHER_SECONDS)))
        self._give_again(stage)
        return None

    def _give_again(self, stage: Stage) -> None:
        """Give a stage to the cluster once more: its answer was lost, which says nothing of its result."""
        self._returns[stage.digest] = self._returns.get(stage.digest, 0) + 1
        if self._returns[stage.digest] > MOST_RETURNS:
            raise _gone()
        self.submit(stage)

    def _refuse_closed(self) -> None:
        if self._client.status in ("closing", "closed"):
            raise _gone()


def _gone() -> CosimError:
    return CosimError(
        "the Dask scheduler is gone", where="--executor dask", remedy=f"Start it and its workers again. {KEPT}"
    )


def _died(stage: Stage) -> CosimError:
    return CosimError(
        "every worker that computed a stage died", where=f"stage {stage.kind}/{stage.digest}",
        remedy=f"They may have run out of memory: give each worker more, or use fewer on one machine. {KEPT}",
    )
