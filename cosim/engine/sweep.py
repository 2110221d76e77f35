"""Runs a study: every point of it that is not finished, then the tables and the page."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from optuna.trial import Trial

from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.engine.executors.local import StagePool
from cosim.engine.executors.worker import run_stage, start_worker
from cosim.engine.plan import Configuration, FoldStage, Point, reference_points, student_points
from cosim.engine.run_folder import FAILURES, locked, save_plan
from cosim.engine.search import Search, database_errors, search_size
from cosim.engine.stage import RESULT
from cosim.engine.store import Json, read_json
from cosim.engine.stored_data import keep_dataset, keep_folds
from cosim.evaluation.stream_rate import check_stream_rate
from cosim.study.schema import Study
from cosim.tables.prices import searched_power_w, write_prices
from cosim.tables.scores import save_failures, write_tables
from energy_models.errors import StudyError
from students.spec.student import Shape


@dataclass(frozen=True, slots=True)
class Status:
    """What a progress bar shows: points finished and in all, stages computed, and the kinds now being computed."""

    points_done: int
    points: int
    stages_computed: int
    running: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: its folder, points finished, stages computed by this call, and each failure's message."""

    folder: Path
    points: int
    computed: int
    failures: tuple[str, ...]


Watch = Callable[[Status], None]


def run_study(
    study: Study, *, root: Path, data_dir: Path | None, workers: int, command: str, watch: Watch
) -> Outcome:
    """Run every point of a study that is not finished, and write its tables.

    Parameters
    ----------
    study : Study
    root : Path
        Folder of this run; created where absent.
    data_dir : Path or None
        Where recordings are; None: the environment variable ``COSIM_DATA``.
    workers : int
        Local processes, one torch thread each.
    command : str
        The command line, kept for the page.
    watch : callable
        Told where the run stands, a few times a second.

    Raises
    ------
    CosimError
        For anything the user can mend. Whatever was finished stays.
    KeyboardInterrupt
        After Ctrl-C, the processes having been ended.
    """
    with locked(root):
        dataset = load(study.dataset.name, data_dir=data_dir, options=study.dataset.options)
        if dataset.task == "regression":
            rate_hz = study.hardware.decode_rate_hz
            check_stream_rate(rate_hz, dataset.step_rate_hz, where="hardware.decode_rate_hz")
        save_plan(root, study, data_dir, command)
        folds = keep_folds(root, keep_dataset(root, dataset, study.dataset), dataset, study)
        with database_errors(root), StagePool(root, workers, run_stage, start_worker) as pool:
            search = Search(study, dataset.digest, root) if study.students else None
            runner = _Runner(study, folds, shape_of(dataset), search, pool=pool, root=root)
            runner.run(watch)
            progress = pool.progress
        failures = runner.failures()
        save_failures(root, failures)
        if failures and not runner.finished:
            told = f"all {len(failures)} points failed, the first of them: {_told(failures[0])}"
            raise StudyError(told.rstrip("."), where=study.study.name, remedy=f"All are told in {root / FAILURES}.")
        write_tables(root, study, dataset, runner.finished, command)
        write_prices(root, study.hardware)
    return Outcome(root, len(runner.finished), progress.done, tuple(map(_told, failures)))


def _told(failure: Mapping[str, Json]) -> str:
    """Return which point failed and why."""
    return f"{failure['decoder']}, {failure['fold']}, seed {failure['seed']}: {failure['message']}"


def shape_of(dataset: Dataset) -> Shape:
    """Return what a student of this dataset takes and gives."""
    _, channels, steps = dataset.inputs.shape
    return Shape(
        task=dataset.task,
        channels=channels,
        steps=steps,
        outputs=len(dataset.output_names),
        step_rate_hz=dataset.step_rate_hz,
    )


@dataclass(slots=True)
class _Open:
    """A configuration being run: its points, and the trial to tell (None where an earlier run told it)."""

    points: list[Point]
    trial: Trial | None


class _Runner:
    """Holds one run's search open: asks for configurations while processes are idle, tells when they are finished."""

    def __init__(
        self, study: Study, folds: Sequence[FoldStage], shape: Shape, search: Search | None, *, pool: StagePool,
        root: Path,
    ) -> None:
        self._study, self._folds, self._shape, self._search = study, folds, shape, search
        self._pool, self._root = pool, root
        self._open: list[_Open] = []
        self._settled: dict[str, Point] = {}
        self._begun = time.monotonic()
        self._asked = 0
        references = list(reference_points(study, folds, self._shape))
        per_configuration = len(folds) * len(study.study.seeds)
        self._total = len(references) + per_configuration * (search_size(study) if study.students else 0)
        self._begin(references, None)

    @property
    def finished(self) -> list[Point]:
        """Every finished point, in the order of the study."""
        return [point for point in self._settled.values() if point.result.digest not in self._pool.failures]

    def failures(self) -> list[dict[str, Json]]:
        """Return which points failed and why."""
        return [
            {"decoder": p.decoder, "seed": p.seed, "fold": p.fold, "message": self._pool.failures[p.result.digest]}
            for p in self._settled.values()
            if p.result.digest in self._pool.failures
        ]

    def run(self, watch: Watch) -> None:
        """Run until nothing is left, or the budget is spent and what was begun is finished."""
        for configuration in self._search.completed() if self._search else []:
            self._begin(self._points(configuration), None)
        while True:
            self._ask()
            self._settle()
            progress = self._pool.progress
            watch(Status(len(self._settled), self._total, progress.done, progress.running))
            if not self._open and not self._may_ask():
                return
            self._pool.step()

    def _points(self, configuration: Configuration) -> list[Point]:
        return student_points(self._study, configuration, self._folds, self._shape)

    def _begin(self, points: list[Point], trial: Trial | None) -> None:
        for point in points:
            self._pool.add(point.result)
        self._open.append(_Open(points, trial))
        self._asked += len(points)

    def _may_ask(self) -> bool:
        budget = self._study.budget
        if self._search is None or (budget.points is not None and self._asked >= budget.points):
            return False
        if budget.seconds is not None and time.monotonic() - self._begun >= budget.seconds:
            return False
        return self._search.remaining() > 0

    def _ask(self) -> None:
        while self._pool.hungry and self._search is not None and self._may_ask():
            trial, configuration = self._search.ask()
            self._begin(self._points(configuration), trial)

    def _settle(self) -> None:
        for entry in list(self._open):
            done = [point for point in entry.points if self._pool.settled(point.result)]
            self._settled.update({point.result.digest + point.decoder: point for point in done})
            if len(done) == len(entry.points):
                self._open.remove(entry)
                if entry.trial is not None and self._search is not None:
                    self._search.tell(entry.trial, self._values(entry.points))

    def _values(self, points: Sequence[Point]) -> dict[str, float] | None:
        """Return a configuration's objectives, means over folds and seeds; None where a point failed."""
        assert self._search is not None  # noqa: S101
        if any(point.result.digest in self._pool.failures for point in points):
            return None
        folders = [point.result.folder(self._root) for point in points]
        # Validation, not test: what picks configurations must not see what they are judged on.
        scores = [float(cast(float, read_json(folder / RESULT)["validation_score"])) for folder in folders]
        values = {"score": statistics.fmean(scores)}
        search = self._study.search
        if "total_power" in self._search.objectives and search.profile and search.site:
            rate = self._study.hardware.decode_rate_hz
            powers = [searched_power_w(folder, search.profile, search.site, rate) for folder in folders]
            values["total_power"] = statistics.fmean(powers)
        return values

