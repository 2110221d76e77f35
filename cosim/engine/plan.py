"""A study turned into configurations, and a configuration into points: one decoder, one seed, one fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from cosim.engine.files import Json
from cosim.engine.points import Decoder, FoldStage, Point
from cosim.engine.stage import Recipe, Stage, recipe
from cosim.engine.stages.baseline import BASELINE
from cosim.engine.stages.distilled import DISTILLED, WEIGHTS
from cosim.engine.stages.gate import GATE, STUDENT
from cosim.engine.stages.quantised import QUANTISED
from cosim.engine.stages.result import AFTER, RESULT
from cosim.engine.stages.teacher import ASKED, TEACHER
from cosim.engine.stages.teacher_result import TEACHER_RESULT
from cosim.engine.stages.undistilled import UNDISTILLED
from cosim.study.choices import method_text, option_choices, searched_options, with_method
from cosim.study.schema import StudentPlan, Study
from cosim.teachers.cross_fitting import HELD_GROUP, OUT_OF_FOLD
from cosim.teachers.registry import parse_teacher
from students.families import load_family, parse_options
from students.models.tensor_files import content_of
from students.spec import UNTRAINED, Converted, Float32, Form, MethodSpec, Quantised, Scalar, Shape, StudentSpec
from students.training import asks_teacher, complete_method, needs_teacher


@dataclass(frozen=True, slots=True)
class Configuration:
    """One choice of every search dimension: a student entry, its options, a form."""

    plan: StudentPlan
    options: Mapping[str, Scalar]
    form: Form

    @property
    def student(self) -> str:
        """What people call all its forms: label, options that are searched over."""
        searched = ((key, self.options[key]) for key in searched_options(self.plan))
        return " ".join([self.plan.label, *(f"{key}={_shown(value)}" for key, value in searched)])

    @property
    def label(self) -> str:
        """What people call it: label, options that are searched over, form, and the method where several are."""
        method = self.method if self.plan.method_choices else ""
        return f"{self.student} {self.shown_form} {method}".rstrip()

    @property
    def method(self) -> str:
        """Its distillation method in words; empty where it has none."""
        return "" if self.plan.method is None else method_text(self.plan, self.plan.method)

    @property
    def spiking(self) -> bool:
        """Whether it computes with spikes."""
        return load_family(self.plan.family).spiking or isinstance(self.form, Converted)

    @property
    def shown_form(self) -> str:
        """The form as tables show it; a spiking network in float arithmetic is ``spiking``."""
        if not self.spiking:
            return str(self.form)
        return "spiking" if isinstance(self.form, Float32) else f"spiking {self.form}"

    @property
    def parameters(self) -> dict[str, Scalar]:
        """The choices as the search sees them."""
        chosen = {f"{self.plan.label}.{key}": value for key, value in self.options.items()}
        if self.plan.method_choices:
            chosen[f"{self.plan.label}.method"] = self.method
        return {"student": self.plan.label, f"{self.plan.label}.form": str(self.form), **chosen}


def _shown(value: Scalar) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def configurations(study: Study) -> list[Configuration]:
    """Return every configuration of the study, in file order."""
    return [
        Configuration(with_method(student, method), options, form)
        for student in study.students
        for method in student.searched_methods
        for options in option_choices(student)
        for form in student.forms
    ]


def student_points(
    study: Study, configuration: Configuration, folds: Sequence[FoldStage], shape: Shape
) -> list[Point]:
    """Return the points of one configuration: every seed on every fold."""
    decoder, training = decoder_of(study, configuration), _Training(study, configuration, shape)
    return _points(study, configuration, folds, training.students, decoder)


def undistilled_points(
    study: Study, configuration: Configuration, folds: Sequence[FoldStage], shape: Shape
) -> list[Point]:
    """Return the points of the float student trained from labels alone, where a teacher may teach its other forms.

    It is trained for the gate in any case; scored on test as well, it shows what distillation is worth, or a method
    that needs no teacher. All forms of a student share these points.
    """
    if not (_has_teacher(study, configuration.plan) or _learns_alone(configuration.plan)):
        return []
    floating = replace(configuration, form=Float32())
    label = f"{floating.student} {floating.shown_form} undistilled"
    decoder = replace(decoder_of(study, floating), label=label, method="")
    return _points(study, floating, folds, _Training(study, floating, shape).undistilled, decoder)


def _points(
    study: Study, choice: Configuration, folds: Sequence[FoldStage],
    trained: Callable[[FoldStage], Mapping[int, Stage]], decoder: Decoder,
) -> list[Point]:
    """Return a decoder's points; `trained` gives of a fold the stage that trains it with each seed."""
    config: dict[str, Json] = {"observed": study.hardware.observed_examples, "inputs": choice.plan.inputs}
    if choice.plan.after is not None:
        config[AFTER] = choice.plan.after.model_dump(mode="json")
    result = recipe(RESULT, config)
    return [
        Point(decoder, seed, fold.name, result.stage(fold=fold.stage, student=student))
        for fold in folds
        for seed, student in trained(fold).items()
    ]


def _has_teacher(study: Study, plan: StudentPlan) -> bool:
    return study.teacher is not None and plan.method is not None and needs_teacher(plan.method)


def _learns_alone(plan: StudentPlan) -> bool:
    return plan.method is not None and not needs_teacher(plan.method)


def decoder_of(study: Study, choice: Configuration) -> Decoder:
    """Return the decoder that a configuration is."""
    plan = choice.plan
    quantised = not isinstance(choice.form, Float32)  # integers learn from the float student
    taught = quantised or _has_teacher(study, plan) or _learns_alone(plan)
    method = choice.method if taught else ""
    settings = plan.model_dump(mode="json", include={"inputs", "method", "training", "quantised_training"})
    if plan.method_choices:  # of all of them, so that they share what is trained without any
        settings["method"] = [method.model_dump(mode="json") for method in plan.method_choices]
    if plan.method_weights:
        settings["method_weights"] = list(plan.method_weights)
    if plan.after is not None:
        settings["after"] = plan.after.model_dump(mode="json")
    return Decoder(
        "student", plan.label, choice.student, choice.label, plan.family, choice.options, str(choice.form),
        choice.spiking, method, settings,
    )  # fmt: skip


class _Training:
    """How one configuration is trained: undistilled, then distilled if a teacher passes, then quantised.

    A method that needs no teacher trains the float student from the start. What folds share is made once.
    """

    def __init__(self, study: Study, choice: Configuration, shape: Shape) -> None:
        plan, seeds = choice.plan, study.study.seeds
        self._teacher = teacher_recipe(study, shape) if _has_teacher(study, plan) else None
        self._gate = recipe(GATE, cast(dict[str, Json], study.gate.model_dump(mode="json")))
        specs = {seed: _spec(study, choice, shape, seed) for seed in seeds}
        self._undistilled = {seed: recipe(UNDISTILLED, _from_start(choice, specs[seed])) for seed in seeds}
        method = None if plan.method is None else complete_method(plan.method)
        self._taught: dict[int, Recipe] = {}
        if self._teacher is not None or _learns_alone(plan):
            kind, more = (UNDISTILLED, {}) if self._teacher is None else (DISTILLED, _weights(plan))
            learning = {seed: spec.model_copy(update={"method": method}) for seed, spec in specs.items()}
            self._taught = {seed: recipe(kind, _from_start(choice, learning[seed]) | more) for seed in seeds}
        self._learns_integers = learns_integers(choice.form)
        self._quantised: dict[int, Recipe] = {}
        if not isinstance(choice.form, Float32):
            changes = _quantised_changes(study, choice, method)
            more = _weights(plan) if self._learns_integers else {}
            forms = {seed: spec.model_copy(update=changes) for seed, spec in specs.items()}
            self._quantised = {seed: recipe(QUANTISED, _trained(choice, forms[seed]) | more) for seed in seeds}

    def undistilled(self, fold: FoldStage) -> dict[int, Stage]:
        """Return by seed the stage that trains the float student on a fold from labels alone."""
        return {seed: one.stage(fold=fold.stage) for seed, one in self._undistilled.items()}

    def students(self, fold: FoldStage) -> dict[int, Stage]:
        """Return by seed the last stage of the student's training on a fold."""
        floating = self.undistilled(fold)
        gate = self._gate_parents(fold, floating)
        for seed, one in self._taught.items():
            before = {"undistilled": floating[seed]} if gate else {}
            floating[seed] = one.stage(fold=fold.stage, **before, **gate)
        if not self._quantised:
            return floating
        more = gate if self._learns_integers else {}
        return {
            seed: one.stage(fold=fold.stage, float_student=floating[seed], **more)
            for seed, one in self._quantised.items()
        }

    def _gate_parents(self, fold: FoldStage, undistilled: Mapping[int, Stage]) -> dict[str, Stage]:
        """Return the teacher and the gate it must pass against undistilled students; nothing where none teaches."""
        if self._teacher is None:
            return {}
        teacher = self._teacher.stage(fold=fold.stage)
        students = {f"{STUDENT}{seed}": stage for seed, stage in undistilled.items()}
        return {"teacher": teacher, "gate": self._gate.stage(fold=fold.stage, teacher=teacher, **students)}


def _quantised_changes(study: Study, choice: Configuration, method: MethodSpec | None) -> dict[str, object]:
    """Return what tells the spec of a quantised student from that of its float student."""
    if not learns_integers(choice.form):
        return {"form": choice.form, "training": UNTRAINED}
    plan = choice.plan
    training = plan.quantised_training or study.training.quantised or plan.training or study.training.student
    return {"form": choice.form, "training": training, "method": method}


def learns_integers(form: Form) -> bool:
    """Return whether a student in this form is trained with the rounding in the loop."""
    return isinstance(form, Quantised) and form.training == "qat"


def _weights(plan: StudentPlan) -> dict[str, Json]:
    return {WEIGHTS: list(plan.method_weights)} if plan.method_weights else {}


def _spec(study: Study, choice: Configuration, shape: Shape, seed: int) -> StudentSpec:
    """Return the float student trained from labels alone."""
    training = choice.plan.training or study.training.student
    return StudentSpec(
        family=choice.plan.family, options=dict(choice.options), shape=shape, training=training, seed=seed
    )


def _trained(choice: Configuration, spec: StudentSpec) -> dict[str, Json]:
    """Return the configuration of a student; with the hashes of files that its options name."""
    files = parse_options(spec.family, load_family(spec.family), spec.options).files
    hashes: dict[str, Json] = {"files": {path: content_of(Path(path)) for path in files}} if files else {}
    return {"inputs": choice.plan.inputs, "spec": _json(spec), **hashes}


def _from_start(choice: Configuration, spec: StudentSpec) -> dict[str, Json]:
    """Return the configuration of a float student, and of the weights it starts from their file and its hash."""
    path = choice.plan.weights
    started: dict[str, Json] = {}
    if path is not None:
        started = {"weights": {"path": path, "digest": content_of(Path(path))}}
    return {**_trained(choice, spec), **started}


def teacher_recipe(study: Study, shape: Shape) -> Recipe:
    """Return how the teacher is fitted on any fold.

    The study must have a teacher; callers have checked.
    """
    assert study.teacher is not None  # noqa: S101
    training = study.training.teacher or study.training.student
    teacher, options = parse_teacher(study.teacher.name, study.teacher.options)
    config: dict[str, Json] = {
        "teacher": study.teacher.name,
        "content": teacher.content(options),
        "options": cast(dict[str, Json], study.teacher.model_dump(mode="json")["options"]),
        "shape": cast(dict[str, Json], shape.model_dump(mode="json")),
        "training": cast(dict[str, Json], training.model_dump(mode="json")),
        "learns_from": study.teacher.learns_from,
    }
    if any(asks_teacher(spec) for plan in study.students for spec in plan.searched_methods if spec is not None):
        config[ASKED] = True
    if study.teacher.out_of_fold is not None:
        config[OUT_OF_FOLD] = cast(dict[str, Json], study.teacher.out_of_fold.model_dump(mode="json"))
        if whole := study.split.kept_whole():
            config[HELD_GROUP] = whole[-1]
    return recipe(TEACHER, config)


def reference_points(study: Study, folds: Sequence[FoldStage], shape: Shape) -> Iterator[Point]:
    """Yield the points that no search decides: every baseline, and the teacher, on every fold."""
    seed = study.study.seeds[0]
    for baseline in study.baselines:
        options = cast(dict[str, Json], dict(baseline.options))
        name = baseline.label or baseline.name
        decoder = Decoder("baseline", name, name, baseline.label or "", baseline.name, options, "", False, "", {})
        fitted = recipe(BASELINE, {"name": baseline.name, "options": options, "inputs": "raw"})
        for fold in folds:
            yield Point(decoder, seed, fold.name, fitted.stage(fold=fold.stage))
    if study.teacher is not None:
        teacher, chosen = parse_teacher(study.teacher.name, study.teacher.options)
        title = teacher.title(chosen)
        name, settings = f"teacher ({title})", study.teacher.model_dump(mode="json")
        decoder = Decoder("teacher", name, name, name, title, {}, str(Float32()), False, "", settings)
        fitted, scored = teacher_recipe(study, shape), recipe(TEACHER_RESULT, {})
        for fold in folds:
            stage = scored.stage(fold=fold.stage, teacher=fitted.stage(fold=fold.stage))
            yield Point(decoder, seed, fold.name, stage)


def _json(spec: StudentSpec) -> dict[str, Json]:
    return cast(dict[str, Json], spec.model_dump(mode="json"))
