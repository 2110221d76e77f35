"""What is searched over: every combination of a student's options."""

from __future__ import annotations

import itertools
from typing import Any, cast

from cosim.study.schema import StudentPlan
from students.spec import Scalar


def option_choices(student: StudentPlan) -> list[dict[str, Scalar]]:
    """Return every combination of the student's options, in file order."""
    lists = [value if isinstance(value, tuple) else (value,) for value in student.options.values()]
    return [dict(zip(student.options, values, strict=True)) for values in itertools.product(*cast(list[Any], lists))]
