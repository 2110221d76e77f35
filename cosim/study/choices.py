"""What is searched over: every combination of a student's options."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from cosim.study.ranges import OptionRange
from cosim.study.schema import Option, StudentPlan
from students.spec import Scalar


def option_choices(student: StudentPlan) -> list[dict[str, Scalar]]:
    """Return every combination of the student's options, in file order; ranges are stepped through."""
    return _combinations(student, lambda option: option.values)


def option_ends(student: StudentPlan) -> list[dict[str, Scalar]]:
    """Return the combinations of the student's options that have to be valid, of a range its two ends."""
    return _combinations(student, lambda option: option.ends)


def searched_options(student: StudentPlan) -> tuple[str, ...]:
    """Return the options of which there is more than one value, in file order."""
    return tuple(key for key, option in student.options.items() if len(_values(option, lambda found: found.ends)) > 1)


def _combinations(
    student: StudentPlan, of_range: Callable[[OptionRange], Sequence[Scalar]]
) -> list[dict[str, Scalar]]:
    lists = [_values(option, of_range) for option in student.options.values()]
    return [dict(zip(student.options, values, strict=True)) for values in itertools.product(*lists)]


def _values(option: Option, of_range: Callable[[OptionRange], Sequence[Scalar]]) -> Sequence[Scalar]:
    if isinstance(option, OptionRange):
        return of_range(option)
    return option if isinstance(option, tuple) else (option,)
