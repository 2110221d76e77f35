"""The study file: which recordings, which decoders, which machines, and how the question is searched.

A study is one TOML file. Everything a person may type in is checked before anything is computed, and
every problem of the file is reported at once, by dotted path.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, cast, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from cosim.preprocessing.post_filter import BesselFilter
from cosim.splits.few_labels import FewLabels
from cosim.splits.schemes import BlockedInTime, GivenParts, LeaveOneGroupOut, SplitSpec, StratifiedFolds
from cosim.splits.unlabelled_pool import UnlabelledPool
from cosim.study.machine_design import DesignPlan
from cosim.study.messages import repeated_items, validation_lines
from cosim.study.ranges import OptionRange
from cosim.teachers.learning import CrossFitting, LearnsFrom
from energy_models.errors import StudentError
from students.spec import Float32, Form, MethodSpec, Pruning, Scalar, SpikePrice, Training, WrittenForm, check_trainable

MAX_ENTRIES = 1_000  # of a list
MAX_TRIALS = 100_000
MOST_APART = 2.0  # two scores: a correlation goes from -1 to 1
JOURNAL = "journal:///"
STORAGES = (JOURNAL, "sqlite:///", "postgresql+psycopg://")
Objective = Literal["score", "total_power", "designed_power"]
"""`total_power`: whole device on one machine at one site; `designed_power`: decoder on the machine sized to it."""
Sampler = Literal["grid", "nsga2", "tpe", "random"]
Document: TypeAlias = dict[str, Any]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _trainable(form: Form) -> Form:
    try:
        check_trainable(form)
    except StudentError as error:
        raise ValueError(str(error)) from error
    return form


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if again := repeated_items(values):
        raise ValueError(f"given twice: {again}")
    return values


def _expanded(forms: object) -> object:
    """Return forms with every choice in braces made: ``w8a8 conv={w4a4,w2a4}`` is two forms."""
    if not isinstance(forms, list | tuple):
        return forms
    given = cast("list[object]", forms)
    return [one for form in given for one in (_choices(form) if isinstance(form, str) else [form])]


def _choices(form: str) -> list[str]:
    parts = re.split(r"\{([^{}]*)\}", form)
    options = [part.split(",") if place % 2 else [part] for place, part in enumerate(parts)]
    if math.prod(len(some) for some in options) > MAX_ENTRIES:
        raise ValueError(f"{form!r} is more than {MAX_ENTRIES} forms")
    return ["".join(words) for words in itertools.product(*options)]


def _search_storage(url: str) -> str:
    if not url.startswith(STORAGES):
        raise ValueError(f"{url!r:.80} is no storage: give one that begins with {', '.join(STORAGES)}")
    if not url.startswith((JOURNAL, "sqlite:")) and urlsplit(url).password is not None:
        raise ValueError("it holds a password, which the run folder would keep: leave it to ~/.pgpass or PGPASSWORD")
    return url


TrainedForm = Annotated[WrittenForm, AfterValidator(_trainable)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=80)]
Choices = Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=MAX_ENTRIES)]
Forms = Annotated[tuple[TrainedForm, ...], BeforeValidator(_expanded), Field(min_length=1, max_length=MAX_ENTRIES),
                  AfterValidator(_distinct)]
Option: TypeAlias = Scalar | Choices | OptionRange


class StudyHead(_Frozen):
    """Who the study is, and what it asks.

    `fold_seed` decides the folds; `seeds` decide weights and the order of examples. `positive` names the class of an
    event that is to be detected: sensitivity, false alarms and latency are then reported.
    """

    name: Slug
    title: str = Field(min_length=1)
    question: str = ""
    positive: str = ""
    seeds: Annotated[tuple[Annotated[int, Field(ge=0, lt=2**32)], ...], Field(min_length=1, max_length=MAX_ENTRIES),
                     AfterValidator(_distinct)]
    fold_seed: int = Field(default=0, ge=0, lt=2**32)


class DatasetPlan(_Frozen):
    """Which corpus, and its own options."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict[str, Any])


class TeacherPlan(_Frozen):
    """Which teacher, its own options, and what it learns from.

    `learns_from`: the training part; or the labelled examples that the fold leaves out, such as other subjects where
    the split stays within one; or both. `out_of_fold`: targets of the training part come from inner fits that have not
    seen them.
    """

    name: str
    options: dict[str, Any] = Field(default_factory=dict[str, Any])
    learns_from: LearnsFrom = "training"
    out_of_fold: CrossFitting | None = None


class GatePlan(_Frozen):
    """What a teacher has to show before it teaches; see `cosim.teachers.gate.GateRule`.

    `on`: validation examples; or labelled training examples, about which teacher and student answer out of fold (where
    inner folds are too small for that: validation examples, and the gate's record says so). `margin`: below 0, a
    teacher may be worse than the student by so much.
    """

    on: Literal["validation", "out_of_fold"] = "validation"
    margin: float = Field(default=0.0, ge=-MOST_APART, le=MOST_APART)
    decided_by: Literal["mean", "interval"] = "mean"


class StudentPlan(_Frozen):
    """One student architecture; an option with a list of values or a range, and the forms, are searched over.

    `inputs`: ``standardised`` by the training data's mean and deviation per channel (work that is counted),
    or ``raw``, as spike counts are fed to a spiking network. `weights`: a safetensors file of trained weights that
    every seed of the float student starts from; with ``training = { epochs = 0 }`` they are kept as they are.
    `method_choices`: distillation methods that are searched over, instead of `method`. `method_weights`: the
    teacher's weight is chosen from these on validation, and from 0, which is the student trained from labels alone.
    `after`: a filter of its estimates (regression), part of the decoder: it is scored, counted and waited for with it.
    Students that differ in this alone share what is trained.
    """

    label: str = Field(min_length=1)
    family: str
    options: dict[str, Option] = Field(default_factory=dict[str, "Option"])
    forms: Forms = (Float32(),)
    inputs: Literal["standardised", "raw"] = "standardised"
    method: MethodSpec | None = None
    method_choices: Annotated[tuple[MethodSpec, ...], Field(max_length=MAX_ENTRIES)] = ()
    method_weights: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(max_length=MAX_ENTRIES),
                              AfterValidator(_distinct)] = ()
    weights: str | None = Field(default=None, min_length=1)
    training: Training | None = None
    quantised_training: Training | None = None
    after: BesselFilter | None = None

    @model_validator(mode="after")
    def _choices_differ(self) -> StudentPlan:
        for key, value in self.options.items():
            if isinstance(value, tuple) and (again := repeated_items(value)):
                raise ValueError(f"options.{key}: given twice: {again}")
        if self.method is not None and self.method_choices:
            raise ValueError("'method' and 'method_choices' are given; give one of them")
        if any(method in self.method_choices[:place] for place, method in enumerate(self.method_choices)):
            raise ValueError("method_choices: one is given twice")
        return self

    @property
    def searched_methods(self) -> tuple[MethodSpec | None, ...]:
        """Every method it is trained with; None alone where there is none."""
        return self.method_choices or (self.method,)


class BaselinePlan(_Frozen):
    """A classical decoder run on the same folds; one that is there twice, with other options, needs labels."""

    name: str
    label: str | None = Field(default=None, min_length=1)
    options: dict[str, Scalar] = Field(default_factory=dict[str, Scalar])


class TrainingPlan(_Frozen):
    """Training of students, and where it differs of teachers and of quantised students."""

    student: Training = Training()
    teacher: Training | None = None
    quantised: Training | None = None


class HardwarePlan(_Frozen):
    """Machines and sites to price for, how often a decision is needed, and how many decodes are observed.

    With `design`, machines sized to the decoders besides, under the name ``designed``.
    """

    profiles: tuple[str, ...] = Field(min_length=1, max_length=MAX_ENTRIES)
    sites: tuple[str, ...] = Field(min_length=1, max_length=MAX_ENTRIES)
    decode_rate_hz: float = Field(gt=0)
    observed_examples: int = Field(default=32, ge=2, le=1_000_000)
    design: DesignPlan | None = None


class SearchPlan(_Frozen):
    """How configurations are picked: all of them, or by a sampler that weighs score against power.

    Power is that of the whole device on `profile` at `site` (``total_power``), or the decoder's on a machine that is
    searched for each configuration by `[hardware.design]` (``designed_power``).

    `storage`: where the search is kept, if not in the run folder: ``postgresql+psycopg://USER@HOST/NAME``,
    ``sqlite:////PATH`` or ``journal:////PATH``. Several runs in one folder may then share the search.
    `pruning`: ``front`` gives a configuration up that cannot reach the search's front any more, whatever its folds
    and seeds that are left come to (`cosim.engine.search.pruning`); what is given up has no score in the tables.
    `warm_start`: folder of an earlier run whose best configurations are tried first.
    """

    sampler: Sampler = "grid"
    trials: int | None = Field(default=None, ge=1, le=MAX_TRIALS)
    population: int = Field(default=20, ge=2, le=MAX_TRIALS)
    seed: int = Field(default=0, ge=0, lt=2**32 - MAX_TRIALS)  # a resumed search adds the trials so far
    objectives: tuple[Objective, ...] = Field(default=("score", "total_power"), min_length=1)
    profile: str | None = None
    site: str | None = None
    storage: Annotated[str, AfterValidator(_search_storage)] | None = None
    pruning: Literal["none", "front"] = "none"
    warm_start: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _prunable(self) -> SearchPlan:
        if self.pruning == "front" and self.sampler == "grid":
            raise ValueError("a grid is asked for whole, for every machine: 'pruning' needs a sampler, or is 'none'")
        if self.pruning == "front" and "designed_power" in self.objectives:
            raise ValueError("'designed_power' is known when all points are: 'pruning' goes with score and total_power")
        return self

    @model_validator(mode="after")
    def _complete(self) -> SearchPlan:
        if self.sampler != "grid" and self.trials is None:
            raise ValueError(f"sampler '{self.sampler}' needs 'trials', the number of configurations to try")
        priced = self.sampler != "grid" and "total_power" in self.objectives
        if priced and (self.profile is None or self.site is None):
            raise ValueError("objective 'total_power' needs 'profile' and 'site', where the power is priced")
        return self


class BudgetPlan(_Frozen):
    """No new configuration is begun after this many seconds or points; begun ones are finished."""

    seconds: float | None = Field(default=None, gt=0)
    points: int | None = Field(default=None, ge=1)


class ComputePlan(_Frozen):
    """Where networks are trained, decoded and counted: ``cpu``, ``cuda``, ``cuda:1`` and the like."""

    device: str = Field(default="cpu", min_length=1)


class Study(_Frozen):
    """A whole study, checked; see the sections for what each holds."""

    study: StudyHead
    dataset: DatasetPlan
    split: SplitSpec
    labels: FewLabels | None = None
    unlabelled: UnlabelledPool | None = None
    teacher: TeacherPlan | None = None
    gate: GatePlan = GatePlan()
    students: tuple[StudentPlan, ...] = Field(default=(), max_length=MAX_ENTRIES)
    baselines: tuple[BaselinePlan, ...] = Field(default=(), max_length=MAX_ENTRIES)
    training: TrainingPlan = TrainingPlan()
    hardware: HardwarePlan
    search: SearchPlan = SearchPlan()
    budget: BudgetPlan = BudgetPlan()
    compute: ComputePlan = ComputePlan()

    @model_validator(mode="after")
    def _consistent(self) -> Study:
        if not self.students and not self.baselines:
            raise ValueError("a study needs at least one of [[students]] or [[baselines]]")
        labels = [student.label for student in self.students]
        if len(set(labels)) < len(labels):
            raise ValueError(f"two students share a label, so results could not be told apart: {', '.join(labels)}")
        if again := repeated_items([baseline.label or baseline.name for baseline in self.baselines]):
            raise ValueError(f"two baselines are called {again}, so results could not be told apart: give each a label")
        if self.search.sampler != "grid" and "designed_power" in self.search.objectives:
            design = self.hardware.design
            if design is None or design.one_machine != "per_decoder":
                raise ValueError("objective 'designed_power' needs [hardware.design] with a machine 'per_decoder'")
        return self

    @property
    def protocol(self) -> str:
        """What is held out, and whose labels are withheld, in words."""
        plans = (self.split, self.labels, self.unlabelled)
        return "; ".join(plan.describe() for plan in plans if plan is not None)


_SECTIONS: tuple[type[BaseModel], ...] = (
    Study, StudyHead, DatasetPlan, FewLabels, UnlabelledPool, TeacherPlan, CrossFitting, GatePlan, StudentPlan,
    BaselinePlan, TrainingPlan, HardwarePlan, SearchPlan, BudgetPlan, ComputePlan, OptionRange, Training, MethodSpec,
    SpikePrice, Pruning, LeaveOneGroupOut, BlockedInTime, GivenParts, StratifiedFolds, BesselFilter,
)


def structural_problems(document: Mapping[str, object]) -> tuple[Study | None, list[str]]:
    """Return the study, or None with one line for every problem of its structure."""
    settings = [field.alias or name for model in _SECTIONS for name, field in model.model_fields.items()]
    try:
        return Study.model_validate(document), []
    except ValidationError as error:
        return None, validation_lines(error, settings, homes=_homes())


def _homes() -> dict[str, str]:
    """Return the path of each setting of ``[study]``, and of those that one other table alone has."""
    found: dict[str, list[str]] = {}
    for table, field in Study.model_fields.items():
        for model in (field.annotation, *get_args(field.annotation)):
            if isinstance(model, type) and issubclass(model, BaseModel):
                for name, setting in model.model_fields.items():
                    typed = setting.alias or name
                    found.setdefault(typed, []).append(f"{field.alias or table}.{typed}")
    return {name: paths[0] for name, paths in found.items() if paths[0].startswith("study.") or len(paths) == 1}
