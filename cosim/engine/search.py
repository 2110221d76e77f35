"""Picks configurations with Optuna: the coordinator alone asks and tells; workers never see the database."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import optuna
from optuna.exceptions import StorageInternalError
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from cosim.engine.files import content_digest, disk_full
from cosim.engine.plan import Configuration, configurations
from cosim.study.choices import method_text, with_method
from cosim.study.form_axes import FormGroup, chosen_form, form_groups, single_groups
from cosim.study.ranges import OptionRange
from cosim.study.schema import Option, SearchPlan, StudentPlan, Study
from energy_models.errors import CosimError, errors_placed
from students.spec import MethodSpec, Scalar

DATABASE = "study.db"
RETRIES = "retries"  # attribute of a trial that takes the place of one a kill interrupted
GRID_OBJECTIVES = ("score",)


@contextmanager
def database_errors(root: Path) -> Generator[None]:
    """Turn a database that finds no room, or is damaged, into the one-paragraph error.

    Raises
    ------
    CosimError
        Naming the file; every failure that is not the database's passes unchanged.
    """
    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        if "disk is full" in f"{error} {error.__cause__}":
            raise disk_full(root / DATABASE) from error
        said = str(getattr(error, "orig", None) or error.__cause__ or error).splitlines()[0]
        raise _unusable(root, said) from error


def _unusable(root: Path, said: str) -> CosimError:
    return CosimError(
        f"the database of the search cannot be used ({said})", where=str(root / DATABASE),
        remedy="Delete it and run again: the search begins anew, and finished points are not computed again.",
    )


@contextmanager
def _records_read(root: Path) -> Generator[None]:
    """Turn what Optuna raises on rows that are not as it wrote them into the same error; nothing else stands in here.

    Raises
    ------
    CosimError
        Naming the file.
    """
    try:
        with errors_placed(str(root / DATABASE)):
            yield
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise _unusable(root, f"{type(error).__name__}: {error}"[:200]) from error


def _address(file: Path) -> str:
    """Return the address of a database; built by hand, a ``?`` or ``#`` of the folder's name would end it."""
    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


def _storage(root: Path) -> optuna.storages.RDBStorage:
    """Open a run's database; a new one gets its name when its tables are whole, or a kill would leave half of them."""
    file = root / DATABASE
    if not file.exists():
        partial = file.with_name(f"{DATABASE}.partial")
        partial.unlink(missing_ok=True)
        optuna.storages.RDBStorage(_address(partial)).engine.dispose()
        partial.replace(file)
    return optuna.storages.RDBStorage(_address(file))


class Search:
    """Holds the Optuna study of one run open.

    Parameters
    ----------
    study : Study
    data_digest : str
        Content of the recordings; other recordings are another search.
    root : Path
        Run folder; the database is in it.
    """

    def __init__(self, study: Study, data_digest: str, root: Path) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)  # what it fails on is told once, as an error
        self._study, self._root = study, root
        self._grid = study.search.sampler == "grid"
        self.objectives = GRID_OBJECTIVES if self._grid else study.search.objectives
        with _records_read(root):
            self._open(f"{study.study.name}-{content_digest(_identity(study, data_digest))}")

    def _open(self, name: str) -> None:
        """Load the Optuna study of a name, or make it."""
        storage = _storage(self._root)
        known = name in optuna.get_all_study_names(storage)
        self._optuna = optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            directions=["minimize" if objective == "total_power" else "maximize" for objective in self.objectives],
        )
        if known:
            self._requeue_stale()
        self._optuna.sampler = _sampler(self._study.search, len(self._optuna.trials))
        if self._grid:
            self._enqueue_grid()

    def _requeue_stale(self) -> None:
        """Queue again what was running when the last coordinator ended; this one holds the lock, so none is alive."""
        for trial in self._optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._optuna.enqueue_trial(dict(_choices(trial)), user_attrs={RETRIES: trial.number})
            self._optuna.tell(trial.number, state=TrialState.FAIL)

    def _enqueue_grid(self) -> None:
        present = {
            frozenset(_choices(trial).items())
            for trial in self._optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.WAITING))
        }
        for configuration in configurations(self._study):
            if frozenset(configuration.parameters.items()) not in present:
                self._optuna.enqueue_trial(configuration.parameters)

    def completed(self) -> list[Configuration]:
        """Return the configurations that earlier runs finished, in the order they were tried."""
        with _records_read(self._root):
            trials = self._optuna.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            return [configuration_of(self._study, trial.params) for trial in trials]

    def remaining(self) -> int:
        """Return how many configurations are still to be asked for."""
        with _records_read(self._root):
            trials = self._optuna.get_trials(deepcopy=False)
        if self._grid:
            return sum(trial.state == TrialState.WAITING for trial in trials)
        tried = sum(trial.state != TrialState.WAITING for trial in trials)
        interrupted = sum(RETRIES in trial.user_attrs for trial in trials)
        return max(0, (self._study.search.trials or 0) - (tried - interrupted))

    def ask(self) -> tuple[Trial, Configuration]:
        """Return the next trial and the configuration it chose."""
        with _records_read(self._root):
            return self._next()

    def _next(self) -> tuple[Trial, Configuration]:
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
        with _records_read(self._root):
            self._optuna.tell(trial, told, state=TrialState.FAIL if told is None else None)


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


def _choices(trial: FrozenTrial) -> Mapping[str, Any]:
    """Return a trial's choices; those of a queued one are what it was queued with."""
    queued = cast(Mapping[str, Any], trial.system_attrs.get("fixed_params", {}))
    return {**queued, **trial.params}


def _identity(study: Study, data_digest: str) -> Mapping[str, Any]:
    """Return what makes two searches the same: not their titles, budgets, baselines, nor, on a grid, their machines."""
    asked = {"dataset", "split", "labels", "unlabelled", "teacher", "gate", "students", "training"}
    kept = study.model_dump(mode="json", include=asked)
    search = study.search.model_dump(mode="json", exclude={"trials"})
    rate = None if study.search.sampler == "grid" else study.hardware.decode_rate_hz
    by_layer = any(group.widths for student in study.students for group in _form_groups(study, student))
    choices = {"forms": "by layer"} if by_layer else {}
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
