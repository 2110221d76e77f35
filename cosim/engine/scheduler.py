"""Runs stages on an executor, each one after the stages it builds on."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cosim.engine.claims import Alone, Claims
from cosim.engine.executors.executor import Completion, Executor
from cosim.engine.executors.interrupts import end_if_asked
from cosim.engine.record import StageTime
from cosim.engine.stage import Stage, with_ancestors
from cosim.engine.store import StageLostError, Store
from energy_models.errors import DataError, StudentError, WorkloadError

# What one decoder cannot do, such as learn or give finite outputs; other errors concern the run.
POINT_ERRORS = (StudentError, DataError, WorkloadError)
WAIT_SECONDS = 0.25
"""Between two looks at a stage that another coordinator computes [s]."""
BLOCKED_EACH = 4
"""Stages that may wait for others' before no more is asked for, for each one that is computed at once."""


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
    claims : Claims
        What other coordinators of the same store compute is waited for, not computed here too.
    """

    def __init__(self, store: Store, executor: Executor, claims: Claims | None = None) -> None:
        self._store, self._executor, self._claims = store, executor, claims or Alone()
        self._waiting: dict[str, Stage] = {}
        self._running: dict[str, Stage] = {}
        self._blocked: set[str] = set()  # waiting for what another coordinator computes
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
        blocked, capacity = len(self._blocked), self._executor.capacity
        asked = len(self._waiting) - blocked + len(self._running)
        return asked < capacity and blocked < BLOCKED_EACH * capacity

    @property
    def idle(self) -> bool:
        """Whether nothing that was asked for is left to compute."""
        return not self._waiting and not self._running

    def add(self, stage: Stage) -> None:
        """Ask for a stage and, before it, everything it builds on that is not finished."""
        for needed in with_ancestors(stage):
            if any(needed.digest in one for one in (self._done, self._failed, self._running, self._waiting)):
                continue
            if self._store.has(needed.key):
                self._done.add(needed.digest)
            else:
                self._waiting[needed.digest] = needed

    def keep_only(self, wanted: Collection[str]) -> None:
        """Ask no more for what is not begun and not among these digests; what is begun is finished."""
        self._waiting = {digest: stage for digest, stage in self._waiting.items() if digest in wanted}
        self._blocked &= self._waiting.keys()

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
        elif self._blocked:
            time.sleep(WAIT_SECONDS)

    def _begin(self) -> None:
        self._blocked.clear()
        for stage in list(self._waiting.values()):
            broken = next((p for p in stage.parents.values() if p.digest in self._failed), None)
            if broken is not None:
                self._failed[stage.digest] = self._failed[broken.digest]
                del self._waiting[stage.digest]
            elif any(parent.digest in self._blocked for parent in stage.parents.values()):
                self._blocked.add(stage.digest)
            elif len(self._running) < self._executor.capacity and self._ready(stage):
                self._begin_one(stage)

    def _begin_one(self, stage: Stage) -> None:
        """Begin a stage, unless another coordinator computes it, or has since it was asked for."""
        if not self._claims.take(stage.key):
            self._blocked.add(stage.digest)
            return
        del self._waiting[stage.digest]
        if self._store.has(stage.key):
            self._claims.give_back(stage.key)
            self._done.add(stage.digest)
            return
        self._running[stage.digest] = stage
        self._executor.submit(stage)

    def _ready(self, stage: Stage) -> bool:
        return all(parent.digest in self._done for parent in stage.parents.values())

    def _end(self, completion: Completion) -> None:
        stage, outcome = completion.stage, completion.outcome
        del self._running[stage.digest]
        self._claims.give_back(stage.key)
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
