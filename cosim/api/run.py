"""Runs a study: every point of it that is not finished, then its tables and prices."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import torch

from cosim.api.study_changes import changes_in_folder, effect_text
from cosim.datasets.array_store import default_store
from cosim.datasets.registry import load
from cosim.datasets.types import Dataset
from cosim.engine.claims import Alone, Claims, shared_claims
from cosim.engine.executors.dask_call import stage_job
from cosim.engine.executors.dask_cluster import DaskPlan, dask_executor
from cosim.engine.executors.executor import Executor
from cosim.engine.executors.fork_server import PRELOAD
from cosim.engine.executors.local import LocalExecutor
from cosim.engine.executors.worker import run_stage, start_worker
from cosim.engine.files import Json
from cosim.engine.local_store import LocalStore
from cosim.engine.plan import decoder_of
from cosim.engine.progress import Watch
from cosim.engine.run_folder import (
    FAILURES,
    joined,
    load_plan,
    locked,
    mark_begun,
    mark_ended,
    save_plan,
    tables_locked,
)
from cosim.engine.same_forms import same_forms
from cosim.engine.scheduler import Scheduler
from cosim.engine.search import Search, database_errors, open_storage
from cosim.engine.sources import installed_sources
from cosim.engine.stage import WORKLOAD
from cosim.engine.stored_data import keep_dataset, keep_folds
from cosim.engine.student_check import check_students
from cosim.engine.sweep import Sweep
from cosim.evaluation.stream_rate import check_stream_rate
from cosim.splits.fold import Fold
from cosim.study.folds import folds_of, known_groups_note
from cosim.study.schema import Study
from cosim.tables.archive import refuse_archive
from cosim.tables.designed import designed_power_w
from cosim.tables.flat import write_flat
from cosim.tables.prices import searched_power_w, write_prices
from cosim.tables.pruned import pruned_note, pruned_rows, write_pruned
from cosim.tables.scores import question, save_failures, write_tables
from cosim.tables.times import KindTime, write_times
from cosim.tables.warm_start import suggested
from energy_models.errors import CosimError, StudyError
from energy_models.workload import read_workload
from students.spec import Shape


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to.

    Parameters
    ----------
    folder : Path
    points, computed : int
        Points finished; stages computed by this call.
    failures : tuple of str
        What went wrong with each point that failed.
    times : mapping
        Wall and processor time of all stages that the points rest on, by kind, earlier runs included.
    set_aside : tuple of str
        A line for each damaged stage that this call set aside and computed again.
    """

    folder: Path
    points: int
    computed: int
    failures: tuple[str, ...]
    times: Mapping[str, KindTime]
    set_aside: tuple[str, ...]


def run_study(
    study: Study, *, root: Path, data_dir: Path | None, workers: int, command: str, watch: Watch,
    dataset: Dataset | None = None, tell: Callable[[str], None] = warnings.warn, dask: DaskPlan | None = None,
    wait_s: float = 0.0,
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
        Processes, one torch thread each.
    command : str
        The command line, kept for the page.
    watch : callable
        Told where the run stands, a few times a second.
    dataset : Dataset or None
        What the study's dataset and options name, where it was read before; None: it is read now.
    tell : callable
        Told before the training what the study's author should know, such as forms that are one network, or what a
        changed study does with the stages that are there.
    dask : DaskPlan or None
        The Dask cluster that computes the stages; None: processes of this machine.
    wait_s : float
        How long to wait for a process that runs in the folder and does not share it [s].

    Raises
    ------
    CosimError
        For anything the user can mend. Whatever was finished stays.
    KeyboardInterrupt
        After Ctrl-C, the processes having been ended.
    """
    installed_sources().forget_changed()
    refuse_archive(root)
    shared = study.search.storage is not None
    with joined(root) if shared else locked(root, wait_s=wait_s) as store:
        earlier = store.set_aside()
        if dataset is None:
            dataset = load(study.dataset.name, data_dir=data_dir, options=study.dataset.options)
        planned = _checked_folds(study, dataset)
        check_students(study, shape_of(dataset))
        notes = (*same_forms(study, shape_of(dataset)), *known_groups_note(study, dataset, planned))
        for note in notes:
            tell(note)
        device = _device(study.compute.device)
        changed = changes_in_folder(root, study)
        _check_search(root, study)
        save_plan(root, study, data_dir, command)
        mark_begun(root)
        data, dataset = keep_dataset(store, dataset, study.dataset.name, default_store())
        folds = keep_folds(store, data, planned)
        if changed:
            tell(effect_text(changed, study, folds, shape_of(dataset), store))
        with (
            database_errors(root, study.search.storage), _claims(root, study) as claims,
            _executor(store, device, workers, dask, tell) as executor,
        ):
            search = _search(study, dataset.digest, root) if study.students else None
            scheduler = Scheduler(store, executor, claims)
            sweep = Sweep(study, folds, shape_of(dataset), search, store=store, scheduler=scheduler,
                          powers_w=_searched_powers(study))  # fmt: skip
            sweep.run(watch)
            if sweep.repeats:
                tell(f"the search chose {sweep.repeats} time(s) a configuration that was tried; that adds no points")
        with database_errors(root, study.search.storage), tables_locked(root):
            if shared:
                sweep.take_finished_elsewhere()
            failures = sweep.failures()
            save_failures(root, failures)
            if failures and not sweep.finished:
                told = f"all {len(failures)} points failed, the first of them: {_told(failures[0])}"
                raise StudyError(told.rstrip("."), where=study.study.name, remedy=f"All are told in {root / FAILURES}.")
            given_up = pruned_rows([(decoder_of(study, one), why) for one, why in (search.pruned() if search else ())])
            write_pruned(root, given_up)
            said = (*notes, *([pruned_note(len(given_up))] if given_up else []))
            write_tables(root, store, study, dataset, sweep.finished, command=command, notes=said)
            write_prices(root, study.hardware)
            write_flat(root)
            times = write_times(root, store, sweep.finished)
            mark_ended(root)
        aside = tuple(note for note in store.set_aside() if note not in earlier)
    computed, told = scheduler.progress.computed, tuple(map(_told, failures))
    return Outcome(root, len(sweep.finished), computed, told, times, aside)


def _search(study: Study, data_digest: str, root: Path) -> Search:
    """Return the search of a study, which begins with what an earlier run suggests where the study names one.

    Raises
    ------
    CosimError
        The earlier run cannot be read, or has nothing in common with the study.
    """
    search = Search(study, data_digest, root)
    if study.search.warm_start is not None and search.untouched:
        search.suggest(suggested(study, Path(study.search.warm_start)))
    return search


def _check_search(root: Path, study: Study) -> None:
    """Raise where the search's storage or the run it begins with cannot be used: before the plan names them.

    A run that the folder's own plan names was checked as it was begun; it may be gone since.

    Raises
    ------
    CosimError
        The storage is not reached, or the earlier run cannot be read or has nothing in common with the study.
    """
    if study.search.storage is not None:
        with database_errors(root, study.search.storage):
            open_storage(root, study.search.storage)
    run = study.search.warm_start
    if run is not None and run != _warm_start_of(root):
        suggested(study, Path(run))


def _warm_start_of(root: Path) -> object:
    """Return the earlier run that a folder's plan names; None where there is no plan, or none that can be read."""
    try:
        search = load_plan(root)[0].get("search")
    except CosimError:
        return None
    return cast(Mapping[str, object], search).get("warm_start") if isinstance(search, dict) else None


def _claims(root: Path, study: Study) -> AbstractContextManager[Claims]:
    """Return which stages this process may compute, to be entered."""
    return nullcontext(Alone()) if study.search.storage is None else shared_claims(root)


def _executor(
    store: LocalStore, device: str, workers: int, dask: DaskPlan | None, tell: Callable[[str], None]
) -> AbstractContextManager[Executor]:
    """Return what computes the stages, to be entered."""
    if dask is None:
        return LocalExecutor(workers, partial(run_stage, store, device), start_worker, PRELOAD)
    return dask_executor(dask, workers, stage_job(store.root, device), tell)


def _device(name: str) -> str:
    """Return the device of a study after checking that it is there and holds numbers.

    Raises
    ------
    StudyError
        An unknown device, or one that this machine or this build of torch lacks.
    """
    try:
        usable = torch.zeros(1, device=name).device.type != "meta"
        said = "its tensors hold no numbers"
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        usable, said = False, str(error).splitlines()[0]
    if not usable:
        raise StudyError(f"the device {name!r} cannot be used ({said})", where="compute.device",
                         remedy="Name one that this machine and this build of torch have, such as 'cpu'.")  # fmt: skip
    return name


def _searched_powers(study: Study) -> Mapping[str, Callable[[Sequence[Path]], float]]:
    """Return what prices a configuration's results where the study's search is asked to, by objective."""
    profile, site = study.search.profile, study.search.site

    def total_w(folders: Sequence[Path]) -> float:
        if profile is None or site is None:
            raise StudyError("the search weighs power, but names no machine or no site", where="search",
                             remedy="Give 'profile' and 'site'.")  # fmt: skip
        return statistics.fmean(
            searched_power_w(folder, profile, site, study.hardware.decode_rate_hz) for folder in folders
        )

    def designed_w(folders: Sequence[Path]) -> float:
        return designed_power_w([read_workload(folder / WORKLOAD) for folder in folders], study.hardware)

    return {"total_power": total_w, "designed_power": designed_w}


def _told(failure: Mapping[str, Json]) -> str:
    """Return which point failed and why."""
    return f"{failure['decoder']}, {failure['fold']}, seed {failure['seed']}: {failure['message']}"


def shape_of(dataset: Dataset) -> Shape:
    """Return what a student of this dataset takes and gives."""
    channels, steps = len(dataset.windows.channels), dataset.windows.steps
    return Shape(
        task=dataset.task,
        channels=channels,
        steps=steps,
        outputs=len(dataset.output_names),
        step_rate_hz=dataset.step_rate_hz,
    )


def _checked_folds(study: Study, dataset: Dataset) -> tuple[Fold, ...]:
    """Return the folds of a study, all that its recordings contradict in it told at once and before the training."""
    folds, problems = list[Fold](), list[CosimError]()

    def rate() -> None:
        if dataset.task == "regression":
            rate_hz = study.hardware.decode_rate_hz
            check_stream_rate(rate_hz, dataset.step_rate_hz, where="hardware.decode_rate_hz")

    checks: tuple[Callable[[], object], ...] = (
        rate, lambda: question(study, dataset), lambda: dataset.refuse_masks(where="study"),
        lambda: folds.extend(folds_of(study, dataset)),
    )
    for check in checks:
        try:
            check()
        except CosimError as error:
            problems.append(error)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        listed = "".join(f"\n  {problem}" for problem in problems)
        raise StudyError(f"{len(problems)} problems; nothing was computed:{listed}".rstrip("."), where=study.study.name)
    return tuple(folds)
