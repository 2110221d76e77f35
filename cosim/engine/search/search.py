"""Picks configurations with Optuna: coordinators alone ask and tell; workers never see the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import optuna
from filelock import FileLock
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState

from cosim.engine.files import Json, content_digest
from cosim.engine.plan import Configuration, configurations
from cosim.engine.search.coordinators import Coordinators
from cosim.engine.search.grid import Grid, choices
from cosim.engine.search.pruning import GivenUp, Values, given_up
from cosim.engine.search.storage import open_storage, records_read
from cosim.study.choices import method_text, with_method
from cosim.study.form_axes import FormGroup, chosen_form, form_choices, form_groups, single_groups
from cosim.study.ranges import OptionRange
from cosim.study.schema import Option, SearchPlan, StudentPlan, Study
from energy_models.errors import StudyError
from students.spec import MethodSpec, Scalar

GIVEN_UP = "given up"  # attribute of a trial that was pruned
RETRIES = "retries"  # attribute of a trial that takes the place of one a kill interrupted
LOCK = ".search.lock"
GRID_OBJECTIVES = ("score",)

def _shared_lock(path: Path) -> FileLock:
    """Return the lock of coordinators that share a run folder.

    Raises
    ------
    StudyError
        Where something else has its name.
    """
    if path.exists() and not path.is_file():
        raise StudyError("this is no file", where=str(path), remedy="Remove it, then go on: `cosim resume`")
    return FileLock(path)


class Search:
    """Holds the Optuna study of one run open.

    With a storage of the run folder's own, this is the only coordinator. With one that is named by a URL, several may
    ask and tell: what a silent one was running is queued again.

    Parameters
    ----------
    study : Study
    data_digest : str
        Content of the recordings; other recordings are another search.
    root : Path
        Run folder.
    """

    def __init__(self, study: Study, data_digest: str, root: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # what it fails on is told once, as an error
        self._study, self._root = study, root
        is_grid = study.search.sampler == "grid"
        self.objectives = GRID_OBJECTIVES if is_grid else study.search.objectives
        self._storage = study.search.storage
        self._lock = nullcontext() if self._storage is None else _shared_lock(root / LOCK)  # alone in its own folder
        with records_read(root, self._storage), self._lock:
            self._open(f"{study.study.name}-{content_digest(_identity(study, data_digest))}")

    def _open(self, name: str) -> None:
        """Load the Optuna study of a name, or make it."""
        storage = open_storage(self._root, self._storage)
        known = name in optuna.get_all_study_names(storage)
        self._optuna = optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            directions=["maximize" if objective == "score" else "minimize" for objective in self.objectives],
        )
        self._coordinators = None if self._storage is None else Coordinators(self._optuna)
        if known:
            self._requeue_lost()
        if self._coordinators is not None:
            self._coordinators.beat()
        self._optuna.sampler = _sampler(self._study.search, len(self._optuna.trials))
        is_grid = self._study.search.sampler == "grid"
        self._grid = Grid(configurations(self._study), self._trials()) if is_grid else None

    def _trials(self) -> list[FrozenTrial]:
        return self._optuna.get_trials(deepcopy=False)

    def _running(self) -> Sequence[FrozenTrial]:
        return self._optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def _requeue_lost(self) -> None:
        """Queue again what a coordinator was running that is gone; alone in the run folder, none other is alive."""
        for trial in self._running():
            if self._coordinators is not None and not self._coordinators.is_lost(trial):
                continue
            self._optuna.enqueue_trial(dict(choices(trial)), user_attrs={RETRIES: trial.number})
            self._optuna.tell(trial.number, state=TrialState.FAIL)

    def completed(self) -> list[Configuration]:
        """Return the configurations that earlier runs or other coordinators finished, in the order tried."""
        with records_read(self._root, self._storage):
            trials = self._optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            return [configuration_of(self._study, trial.params) for trial in trials]

    def suggest(self, first: Sequence[Configuration]) -> None:
        """Queue configurations to be tried before all others, in this order; `untouched` searches alone can be told."""
        with records_read(self._root, self._storage), self._lock:
            if not self._trials():
                for configuration in first[: search_size(self._study)]:
                    plan, form = configuration.plan, configuration.form
                    axes = form_choices(_form_groups(self._study, plan), plan.label, form)
                    self._optuna.enqueue_trial({**configuration.parameters, **axes})

    @property
    def untouched(self) -> bool:
        """Whether nothing was tried or queued yet."""
        with records_read(self._root, self._storage):
            return not self._trials()

    def cannot_reach(self, found: Sequence[Values], of: int) -> GivenUp | None:
        """Return why a configuration is to be given up; None where it is not, or the study prunes none.

        Parameters
        ----------
        found : sequence of mapping
            Objectives of its finished points.
        of : int
            How many points it has.
        """
        if self._study.search.pruning == "none":
            return None
        with records_read(self._root, self._storage):
            trials = self._optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            names = list[str](self.objectives)
            told = [(str(trial.number), dict(zip(names, trial.values, strict=True))) for trial in trials]
            why = given_up(found, of, told)
            if why is None:
                return None
            better = next(trial for trial in trials if str(trial.number) == why.against)
            return replace(why, against=configuration_of(self._study, better.params).label)

    def give_up(self, trial: Trial, why: GivenUp) -> None:
        """Record that a trial was given up, and why."""
        with records_read(self._root, self._storage):
            trial.set_user_attr(GIVEN_UP, why.record())
            self._optuna.tell(trial, state=TrialState.PRUNED, skip_if_finished=True)

    def pruned(self) -> list[tuple[Configuration, Mapping[str, Json]]]:
        """Return the configurations that were given up and not finished at another time, with the records why."""
        with records_read(self._root, self._storage):
            trials = self._optuna.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
            told = [(configuration_of(self._study, trial.params), trial.user_attrs[GIVEN_UP]) for trial in trials]
        finished = {one.label for one in self.completed()}
        return list({one.label: (one, why) for one, why in told if one.label not in finished}.values())

    def remaining(self) -> int:
        """Return how many configurations are still to be asked for."""
        with records_read(self._root, self._storage):
            return self._remaining()

    def _remaining(self) -> int:
        trials = self._trials()
        if self._grid is not None:
            self._grid.note(trials)
            return self._grid.untried + sum(trial.state == TrialState.WAITING for trial in trials)
        tried = sum(trial.state != TrialState.WAITING for trial in trials)
        interrupted = sum(RETRIES in trial.user_attrs for trial in trials)
        return max(0, (self._study.search.trials or 0) - (tried - interrupted))

    def ask(self) -> tuple[Trial, Configuration] | None:
        """Return the next trial and the configuration it chose; None where another coordinator took the last."""
        with records_read(self._root, self._storage), self._lock:
            if not self._remaining():
                return None
            trial, configuration = self._next()
            if self._coordinators is not None:
                self._coordinators.sign(trial)
            return trial, configuration

    def others_running(self) -> bool:
        """Return whether another coordinator runs a trial; what a lost one was running is queued again."""
        if self._coordinators is None:
            return False
        with records_read(self._root, self._storage), self._lock:
            running = self._running()
            self._requeue_lost()
        return bool(running)

    def alive(self) -> None:
        """Tell other coordinators now and then that this one is alive, and look for lost ones."""
        if self._coordinators is not None:
            with records_read(self._root, self._storage):
                if self._coordinators.beat():
                    with self._lock:
                        self._requeue_lost()

    def leave(self) -> None:
        """Tell other coordinators that this one has ended; what it was running may be queued again at once."""
        if self._coordinators is not None:
            with records_read(self._root, self._storage):
                self._coordinators.leave()

    def _next(self) -> tuple[Trial, Configuration]:
        if self._grid is not None and not self._optuna.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            self._optuna.enqueue_trial(self._grid.next())
        trial = self._optuna.ask()
        student = _student(self._study, trial.suggest_categorical("student", [s.label for s in self._study.students]))
        chosen_form(_form_groups(self._study, student), student.label, trial.suggest_categorical)
        if student.method_choices:
            trial.suggest_categorical(f"{student.label}.method", list(_methods(student)))
        for key, option in student.options.items():
            _suggest(trial, f"{student.label}.{key}", option)
        return trial, configuration_of(self._study, trial.params)

    def tell(self, trial: Trial, values: Mapping[str, float] | None) -> None:
        """Record the objectives of a trial; None where a point of it failed."""
        told = None if values is None else [values[objective] for objective in self.objectives]
        with records_read(self._root, self._storage):
            self._optuna.tell(trial, told, state=TrialState.FAIL if told is None else None,
                              skip_if_finished=True)  # fmt: skip


def _suggest(trial: Trial, name: str, option: Option) -> None:
    """Let the sampler choose an option: of a list a choice, of a range a number, which it knows to be one."""
    if not isinstance(option, OptionRange):
        trial.suggest_categorical(name, option if isinstance(option, tuple) else (option,))
    elif option.type == "int":
        low, high = map(int, option.ends)
        trial.suggest_int(name, low, high, step=int(option.step or 1), log=option.log)
    else:
        trial.suggest_float(name, *option.ends, step=option.step, log=option.log)


def configuration_of(study: Study, choices: Mapping[str, Any]) -> Configuration:
    """Return the configuration that a trial's choices name."""
    student = _student(study, str(choices["student"]))
    options = {key: cast(Scalar, choices[f"{student.label}.{key}"]) for key in student.options}
    if student.method_choices:
        student = with_method(student, _methods(student)[str(choices[f"{student.label}.method"])])
    form = chosen_form(_form_groups(study, student), student.label, lambda name, _values: str(choices[name]))
    return Configuration(student, options, form)


def _form_groups(study: Study, student: StudentPlan) -> list[FormGroup]:
    """Return the forms as the search chooses them: on a grid one by one, for a sampler layer by layer."""
    return single_groups(student.forms) if study.search.sampler == "grid" else form_groups(student.forms)


def _student(study: Study, label: str) -> StudentPlan:
    return {student.label: student for student in study.students}[label]


def _methods(student: StudentPlan) -> dict[str, MethodSpec]:
    return {method_text(student, method): method for method in student.method_choices}


def _identity(study: Study, data_digest: str) -> Mapping[str, Any]:
    """Return what makes two searches the same: not their titles, budgets, baselines, nor, on a grid, their machines."""
    asked = {"dataset", "split", "labels", "unlabelled", "teacher", "gate", "students", "training"}
    kept = study.model_dump(mode="json", include=asked)
    unpruned = {"pruning"} if study.search.pruning == "none" else set[str]()
    search = study.search.model_dump(mode="json", exclude={"trials", "storage", "warm_start", *unpruned})
    rate = None if study.search.sampler == "grid" else study.hardware.decode_rate_hz
    by_layer = any(group.widths for student in study.students for group in _form_groups(study, student))
    choices = {"forms": "by layer"} if by_layer else {}
    if study.search.sampler != "grid" and "designed_power" in study.search.objectives:  # sites set deadlines
        machines = study.hardware.model_dump(mode="json", include={"design", "sites"})
        choices = {**choices, "machines": machines}
    return {**kept, **choices, "seeds": list(study.study.seeds), "search": search, "rate": rate, "data": data_digest}


def _sampler(plan: SearchPlan, already: int) -> BaseSampler:
    """Return the sampler; resumed, it goes on from another seed instead of repeating its first draws."""
    seed = plan.seed + already
    if plan.sampler == "nsga2":
        return NSGAIISampler(population_size=plan.population, seed=seed)
    if plan.sampler == "tpe":
        return TPESampler(seed=seed)
    return RandomSampler(seed=seed)


def search_size(study: Study) -> int:
    """Return how many configurations the whole search tries."""
    return len(configurations(study)) if study.search.sampler == "grid" else study.search.trials or 0
