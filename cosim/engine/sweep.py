"""Runs every point of a study that is not finished: asks the search what to try, and the scheduler to compute it."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from optuna.trial import Trial

from cosim.engine.files import Json, read_json
from cosim.engine.plan import Configuration, reference_points, student_points, undistilled_points
from cosim.engine.points import FoldStage, Point, Role
from cosim.engine.progress import Journal, Status, Watch
from cosim.engine.scheduler import Scheduler
from cosim.engine.search import Search, search_size
from cosim.engine.stage import RESULT, with_ancestors
from cosim.engine.store import Store
from cosim.study.schema import Study
from students.spec import Shape

WAIT_SECONDS = 1.0
"""Between two looks at what other coordinators run [s]."""


@dataclass(slots=True)
class _Open:
    """A configuration being run.

    `trial` is told the points' scores (None where an earlier run told it); `beside` are points it is not told;
    `weighed` says of how many finished points it was looked whether they rule the front out.
    """

    points: list[Point]
    trial: Trial | None
    beside: list[Point] = field(default_factory=list[Point])
    weighed: int = 0


class Sweep:
    """Holds one run's search open: asks for configurations while processes are idle, tells when they are finished.

    Parameters
    ----------
    study : Study
    folds : sequence of FoldStage
    shape : Shape
        What every student takes and gives.
    search : Search or None
        None: the study has no students, only points that no search decides.
    store : Store
    scheduler : Scheduler
    powers_w : mapping of objective to callable
        ``powers_w[objective](folders)``: a power [W] that the search weighs against the score, of one configuration's
        results in these folders.
    """

    def __init__(
        self, study: Study, folds: Sequence[FoldStage], shape: Shape, search: Search | None, *, store: Store,
        scheduler: Scheduler, powers_w: Mapping[str, Callable[[Sequence[Path]], float]],
    ) -> None:
        self._study, self._folds, self._shape, self._search = study, folds, shape, search
        self._store, self._scheduler, self._powers_w = store, scheduler, powers_w
        self._open: list[_Open] = []
        self._done: dict[tuple[str, str], Point] = {}
        self._known: set[tuple[str, str]] = set()
        self._awaited: set[tuple[str, str]] = set()  # not found finished
        self._left_out: set[tuple[str, str]] = set()  # of configurations that were given up
        self._journal = Journal(store)
        self._begun = time.monotonic()
        self._asked = 0
        self._repeats = 0
        references = list(reference_points(study, folds, self._shape))
        self._total = len(references) + self._student_total(len(references))
        self._begin(references, None)

    @property
    def finished(self) -> list[Point]:
        """Every finished point of decoders that were not given up, in the order of the study."""
        failed, left_out = self._scheduler.failures, self._left_out
        return [one for name, one in self._done.items() if one.result.digest not in failed and name not in left_out]

    @property
    def repeats(self) -> int:
        """How often the search chose a configuration again, which adds no point."""
        return self._repeats

    def failures(self) -> list[dict[str, Json]]:
        """Return which points failed and why."""
        return [
            {
                "decoder_id": p.decoder.id, "decoder": p.decoder.name, "seed": p.seed, "fold": p.fold,
                "message": self._scheduler.failures[p.result.digest],
            }
            for p in self._done.values()
            if p.result.digest in self._scheduler.failures
        ]  # fmt: skip

    def run(self, watch: Watch) -> None:
        """Run until nothing is left, or the budget is spent and what was begun is finished."""
        try:
            self._run(watch)
        finally:
            if self._search is not None:
                self._search.leave()

    def _run(self, watch: Watch) -> None:
        self.take_finished_elsewhere()
        tried = self._search.completed() if self._search else []
        self._repeated(len(tried) - len({one.label for one in tried}))
        while True:
            if self._search is not None:
                self._search.alive()
            self._ask()
            self._tell_done()
            watch(self._status())
            if not self._open and self._scheduler.idle and not self._may_ask():
                if not self._others_running():
                    return
                time.sleep(WAIT_SECONDS)
            self._scheduler.step()

    def _others_running(self) -> bool:
        """Return whether to wait for other coordinators, whose trials would be this one's if they were lost."""
        return self._search is not None and self._within_budget() and self._search.others_running()

    def _student_total(self, references: int) -> int:
        """Return how many points the search asks for, within the study's budget of points."""
        if not self._study.students:
            return 0
        each = len(self._folds) * len(self._study.study.seeds)
        budget = self._study.budget.points
        begun = math.inf if budget is None else max(0, math.ceil((budget - references) / each))
        return each * int(min(search_size(self._study), begun))

    def _status(self) -> Status:
        self._journal.computed(self._scheduler.times)
        progress = self._scheduler.progress
        left: dict[Role, int] = {"student": self._total - len(self._done)}
        for entry in self._open:
            for point in (*entry.points, *entry.beside):
                role = point.decoder.role
                if role != "student" and not self._scheduler.done(point.result):
                    left[role] = left.get(role, 0) + 1
                    left["student"] -= 1
        return Status(
            len(self._done), self._total, progress.computed, self._journal.names(progress.running),
            self._journal.seconds_left(left, self._scheduler.capacity), self._journal.best(),
        )

    def _begin_configuration(self, configuration: Configuration, trial: Trial | None) -> None:
        beside = [
            point for point in undistilled_points(self._study, configuration, self._folds, self._shape)
            if _name(point) not in self._known
        ]
        self._total += len(beside)
        self._begin(student_points(self._study, configuration, self._folds, self._shape), trial, beside)

    def _begin(self, points: list[Point], trial: Trial | None, beside: Sequence[Point] = ()) -> None:
        for point in (*points, *beside):
            self._scheduler.add(point.result)
            self._known.add(_name(point))
            self._left_out.discard(_name(point))
            self._journal.asked(point)
            if not self._scheduler.done(point.result):
                self._awaited.add(_name(point))
        self._open.append(_Open(points, trial, list(beside)))
        self._asked += len(points)

    def _within_budget(self) -> bool:
        budget = self._study.budget
        if budget.points is not None and self._asked >= budget.points:
            return False
        return budget.seconds is None or time.monotonic() - self._begun < budget.seconds

    def _may_ask(self) -> bool:
        return self._search is not None and self._within_budget() and self._search.remaining() > 0

    def _ask(self) -> None:
        while self._scheduler.has_capacity and self._search is not None and self._may_ask():
            asked = self._search.ask()
            if asked is None:
                return
            trial, configuration = asked
            points = student_points(self._study, configuration, self._folds, self._shape)
            self._repeated(int(all(_name(point) in self._known for point in points)))
            self._begin_configuration(configuration, trial)

    def _repeated(self, count: int) -> None:
        """Count configurations that were chosen again; their points are there and are not to come."""
        self._repeats += count
        self._total -= count * len(self._folds) * len(self._study.study.seeds)

    def take_finished_elsewhere(self) -> None:
        """Take in the points of configurations that other coordinators of the search have finished."""
        for configuration in self._search.completed() if self._search else []:
            points = student_points(self._study, configuration, self._folds, self._shape)
            if any(_name(point) not in self._known for point in points):
                self._begin_configuration(configuration, None)
        self._tell_done()

    def _tell_done(self) -> None:
        for entry in list(self._open):
            points = [*entry.points, *entry.beside]
            done = [point for point in points if self._scheduler.done(point.result)]
            for point in done:
                self._note_done(point)
            if len(done) == len(points):
                self._open.remove(entry)
                if entry.trial is not None and self._search is not None:
                    self._search.tell(entry.trial, self._values(entry.points))
            elif entry.trial is not None:
                self._weigh(entry, entry.trial)

    def _weigh(self, entry: _Open, trial: Trial) -> None:
        """Give a configuration up where its finished points show that it cannot reach the front."""
        assert self._search is not None  # noqa: S101
        done = [point for point in entry.points if self._scheduler.done(point.result)]
        failed = any(point.result.digest in self._scheduler.failures for point in done)
        if self._study.search.pruning == "none" or failed or len(done) <= entry.weighed:
            return
        entry.weighed = len(done)
        values = [self._values([point]) or {} for point in done]
        found = [{name: one[name] for name in self._search.objectives} for one in values]
        why = self._search.cannot_reach(found, len(entry.points))
        if why is not None:
            self._search.give_up(trial, why)
            self._leave_out(entry)

    def _leave_out(self, entry: _Open) -> None:
        """Ask no more for the points of a configuration, and keep those there are out of the tables."""
        self._open.remove(entry)
        rest = [point for one in self._open for point in (*one.points, *one.beside)]
        self._scheduler.keep_only({stage.digest for point in rest for stage in with_ancestors(point.result)})
        wanted = {_name(point) for point in rest}
        for points in (entry.points, entry.beside):
            undone = [point for point in points if not self._scheduler.done(point.result)]
            names = {_name(point) for point in points} - wanted if undone else set[tuple[str, str]]()
            self._left_out |= names
            self._known -= {_name(point) for point in undone} & names
            self._total -= len(undone)
            self._asked -= len(undone) if points is entry.points else 0

    def _note_done(self, point: Point) -> None:
        name = _name(point)
        if name in self._done:
            return
        self._done[name] = point
        if name in self._awaited:
            self._journal.finished_here(point)
        if point.result.digest not in self._scheduler.failures:
            self._journal.scored(point)

    def _values(self, points: Sequence[Point]) -> dict[str, float] | None:
        """Return a configuration's objectives, means over folds and seeds; None where a point failed."""
        assert self._search is not None  # noqa: S101
        if any(point.result.digest in self._scheduler.failures for point in points):
            return None
        folders = [self._store.folder(point.result.key) for point in points]
        # Validation, not test: what picks configurations must not see what they are judged on.
        scores = [float(cast(float, read_json(folder / RESULT)["validation_score"])) for folder in folders]
        values = {"score": statistics.fmean(scores)}
        asked = [objective for objective in self._search.objectives if objective in self._powers_w]
        return values | {objective: self._powers_w[objective](folders) for objective in asked}


def _name(point: Point) -> tuple[str, str]:
    """Return what tells a point from every other; two decoders may share a result."""
    return point.result.digest, point.decoder.id
