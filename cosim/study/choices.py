"""What is searched over: every combination of a student's options."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

from cosim.study.ranges import OptionRange
from cosim.study.schema import Option, StudentPlan
from students.spec import MethodSpec, Scalar

MAX_POINTS = 10_000
"""Most points of a grid on one fold: configurations times seeds. Each is trained; at a second each, three hours."""
MAX_CHECKED = 10_000
"""Most combinations of options that are checked; of more, each option's values beside the others' first ones."""


def choice_counts(student: StudentPlan) -> dict[str, int]:
    """Return of every list a student is searched over how many values it has; their product is its configurations."""
    counts = {f"options.{key}": _count(option) for key, option in student.options.items()}
    more = {"forms": len(student.forms), "method_choices": len(student.method_choices)}
    return {name: count for name, count in {**counts, **more}.items() if count > 1}


def option_choices(student: StudentPlan) -> list[dict[str, Scalar]]:
    """Return every combination of the student's options, in file order; ranges are stepped through."""
    return _combinations(student, lambda option: option.values)


def method_text(student: StudentPlan, method: MethodSpec) -> str:
    """Return a method's name, with its options where the student has several of this name."""
    alike = [other for other in student.method_choices if other.name == method.name]
    shown = [f"{key}={value}" for key, value in method.options.items()] if len(alike) > 1 else []
    return " ".join([method.name, *shown])


def with_method(student: StudentPlan, method: MethodSpec | None) -> StudentPlan:
    """Return the student trained with one of its methods."""
    return student.model_copy(update={"method": method})


def option_ends(student: StudentPlan) -> list[dict[str, Scalar]]:
    """Return combinations of the student's options that have to be valid, of a range its two ends.

    All of them, or, of more than `MAX_CHECKED`, every value of each option beside the first ones of the others.
    """
    lists = {key: _values(option, lambda found: found.ends) for key, option in student.options.items()}
    if math.prod(map(len, lists.values())) <= MAX_CHECKED:
        return _combinations(student, lambda option: option.ends)
    first = {key: values[0] for key, values in lists.items()}
    return [{**first, key: value} for key, values in lists.items() for value in values]


def searched_options(student: StudentPlan) -> tuple[str, ...]:
    """Return the options of which there is more than one value, in file order."""
    return tuple(key for key, option in student.options.items() if len(_values(option, lambda found: found.ends)) > 1)


def _combinations(
    student: StudentPlan, of_range: Callable[[OptionRange], Sequence[Scalar]]
) -> list[dict[str, Scalar]]:
    lists = [_values(option, of_range) for option in student.options.values()]
    return [dict(zip(student.options, values, strict=True)) for values in itertools.product(*lists)]


def _count(option: Option) -> int:
    if isinstance(option, OptionRange):
        return option.count
    return len(option) if isinstance(option, tuple) else 1


def _values(option: Option, of_range: Callable[[OptionRange], Sequence[Scalar]]) -> Sequence[Scalar]:
    if isinstance(option, OptionRange):
        return of_range(option)
    return option if isinstance(option, tuple) else (option,)
