"""Checks of options and forms, part by part: one that is wrong is told whatever else is wrong with the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from cosim.baselines.registry import load_baseline
from cosim.datasets.registry import load_corpus
from cosim.study.choices import option_ends
from cosim.study.messages import validation_lines
from cosim.study.schema import MAX_ENTRIES, BaselinePlan, DatasetPlan, StudentPlan, TeacherPlan
from cosim.teachers.registry import TEACHERS
from energy_models.errors import CosimError
from students.families import check_form, load_family
from students.spec import MethodSpec
from students.training import METHODS

Plan = TypeVar("Plan", bound=BaseModel)
Found = TypeVar("Found")


def part_problems(document: Mapping[str, object]) -> Iterator[str]:
    """Yield a line for every option and form that does not exist, of those parts of a document that are sound.

    Of a student, options and forms are looked at apart. What else is wrong is told elsewhere.
    """
    dataset = _plan(DatasetPlan, document.get("dataset"))
    if dataset is not None and (corpus := _loaded(load_corpus, dataset.name)) is not None:
        yield from option_lines(corpus.Options, dataset.options, "dataset.options")
    for i, entry in enumerate(map(table, entries(document.get("students")))):
        yield from _student_lines(entry, f"students.{i}")
    teacher = _plan(TeacherPlan, document.get("teacher"))
    if teacher is not None and (found := _loaded(TEACHERS.load, teacher.name)) is not None:
        yield from option_lines(found.Options, teacher.options, "teacher.options")
    for i, entry in enumerate(entries(document.get("baselines"))):
        baseline = _plan(BaselinePlan, entry)
        if baseline is not None and (one := _loaded(load_baseline, baseline.name)) is not None:
            yield from option_lines(one.Options, baseline.options, f"baselines.{i}.options")


def _student_lines(entry: Mapping[str, object], path: str) -> Iterator[str]:
    name = entry.get("family")
    if isinstance(name, str) and _loaded(load_family, name) is not None:
        for key, lines in (("options", student_options), ("forms", student_forms)):
            plan = _plan(StudentPlan, {"label": "-", "family": name, key: entry[key]}) if key in entry else None
            if plan is not None:
                yield from lines(plan, path)
    methods = [(f"{path}.method", entry.get("method"))]
    methods += [(f"{path}.method_choices.{i}", one) for i, one in enumerate(entries(entry.get("method_choices")))]
    for place, given in methods:
        spec = _plan(MethodSpec, given)
        if spec is not None and (method := _loaded(METHODS.load, spec.name)) is not None:
            yield from option_lines(method.options, spec.options, f"{place}.options")


def student_options(student: StudentPlan, path: str) -> list[str]:
    """Return a line for every option that the student's family does not take."""
    family = load_family(student.family)
    return [line for options in option_ends(student)
            for line in option_lines(family.Options, options, f"{path}.options")]  # fmt: skip


def student_forms(student: StudentPlan, path: str) -> list[str]:
    """Return a line for every form that the student's family has not."""
    family = load_family(student.family)
    return [line for j, form in enumerate(student.forms)
            for line in problem_of(f"{path}.forms.{j}", check_form, family, form)]  # fmt: skip


def option_lines(model: type[BaseModel], options: Mapping[str, Any], path: str) -> list[str]:
    """Return a line for everything that is wrong with options, with those that are known."""
    try:
        model.model_validate(dict(options))
    except ValidationError as error:
        known = f" (known options: {', '.join(model.model_fields) or 'none'})"
        lines = validation_lines(error, model.model_fields, path.split("."))
        kinds = [problem["type"] for problem in error.errors()]
        return [line + (known if "extra_forbidden" in kinds and "no such setting" in line else "") for line in lines]
    return []


def problem_of(path: str, check: Callable[..., object], *arguments: object) -> list[str]:
    """Return the line of the error that a check raises, or none."""
    try:
        check(*arguments)
    except CosimError as error:
        return [f"{path}: {error}"]
    return []


def table(value: object) -> Mapping[str, object]:
    """Return a table; an empty one for anything else."""
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}


def entries(value: object) -> list[object]:
    """Return a list as far as it may be long; that it is longer is a structural problem, told already."""
    return cast(list[object], value)[:MAX_ENTRIES] if isinstance(value, list) else []


def _plan(model: type[Plan], given: object) -> Plan | None:
    """Return a part of a study if it is sound by itself."""
    try:
        return model.model_validate(given)
    except ValidationError:
        return None


def _loaded(load: Callable[[str], Found], name: str) -> Found | None:
    """Return what a name stands for; None where there is none, which is told with the other names."""
    try:
        return load(name)
    except CosimError:
        return None
