"""Runs stages on an executor, each one after the stages it builds on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosim.engine.executors.executor import Completion, Executor
from cosim.engine.executors.interrupts import end_if_asked
from cosim.engine.record import StageTime
from cosim.engine.stage import Stage, with_ancestors
from cosim.engine.store import StageLostError, Store
from energy_models.errors import DataError, StudentError, WorkloadError

# What one decoder cannot do, such as learn or give finite outputs; other errors concern the run.
POINT_ERRORS = (StudentError, DataError, WorkloadError)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: stages computed (found ones not counted), stages asked for, and those now being computed."""

    computed: int
    asked: int
    running: tuple[Stage, ...]


class Scheduler:
    """Decides which stage is begun next. Earlier stages go first, so that points finish one after the other.

    Parameters
    ----------
    store : Store
    executor : Executor
    """

    def __init__(self, store: Store, executor: Executor) -> None:
        self._store, self._executor = store, executor
        self._waiting: dict[str, Stage] = {}
        self._running: dict[str, Stage] = {}
        self._done: set[str] = set()
        self._failed: dict[str, str] = {}
        self._begun_again: set[str] = set()
        self._times: list[StageTime] = []

    @property
    def failures(self) -> Mapping[str, str]:
        """What went wrong, by the digest of every stage that failed or builds on one that did."""
        return self._failed

    @property
    def progress(self) -> Progress:
        """Where the run stands now."""
        computed = len(self._times)
        running = tuple(self._running.values())
        return Progress(computed, computed + len(self._waiting) + len(self._running), running)

    @property
    def times(self) -> Sequence[StageTime]:
        """How long each stage took that was computed, in the order they ended."""
        return self._times

    @property
    def capacity(self) -> int:
        """How many stages are computed at once."""
        return self._executor.capacity

    @property
    def has_capacity(self) -> bool:
        """Whether the executor would be partly idle with what is asked for now."""
        return len(self._waiting) + len(self._running) < self._executor.capacity

    @property
    def idle(self) -> bool:
        """Whether nothing that was asked for is left to compute."""
        return not self._waiting and not self._running

    def add(self, stage: Stage) -> None:
        """Ask for a stage and, before it, everything it builds on that is not finished."""
        for needed in with_ancestors(stage):
            if needed.digest in self._done or needed.digest in self._failed or needed.digest in self._running:
                continue
            if self._store.has(needed.key):
                self._done.add(needed.digest)
            else:
                self._waiting.setdefault(needed.digest, needed)

    def done(self, stage: Stage) -> bool:
        """Return whether the stage is finished or can no longer be."""
        return stage.digest in self._done or stage.digest in self._failed

    def step(self) -> None:
        """Begin what can be begun, then wait a moment for something to end.

        Raises
        ------
        CosimError
            Any that concerns the whole run, such as a full disk; a decoder that cannot be fitted or
            scored fails alone and is told in `failures`.
        KeyboardInterrupt
            If a signal asked the run to end and its exception was dropped.
        """
        end_if_asked()
        self._begin()
        if self._running:
            for completion in self._executor.poll():
                self._end(completion)

    def _begin(self) -> None:
        for stage in list(self._waiting.values()):
            broken = next((p for p in stage.parents.values() if p.digest in self._failed), None)
            if broken is not None:
                self._failed[stage.digest] = self._failed[broken.digest]
                del self._waiting[stage.digest]
            elif len(self._running) < self._executor.capacity and self._ready(stage):
                del self._waiting[stage.digest]
                self._running[stage.digest] = stage
                self._executor.submit(stage)

    def _ready(self, stage: Stage) -> bool:
        return all(parent.digest in self._done for parent in stage.parents.values())

    def _end(self, completion: Completion) -> None:
        stage, outcome = completion.stage, completion.outcome
        del self._running[stage.digest]
        if isinstance(outcome, StageTime):
            self._done.add(stage.digest)
            self._times.append(outcome)
        elif isinstance(outcome, StageLostError) and stage.digest not in self._begun_again:
            self._begin_again(stage)
        elif isinstance(outcome, POINT_ERRORS) and stage.failure == "point":
            self._failed[stage.digest] = str(outcome)
        else:
            raise outcome

    def _begin_again(self, stage: Stage) -> None:
        """Ask once more for a stage that found one it builds on damaged, and for that one."""
        self._begun_again.add(stage.digest)
        self._done.difference_update(needed.digest for needed in with_ancestors(stage))
        self.add(stage)
