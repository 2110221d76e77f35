"""Builds every student of a network class of one's own once before anything is trained, and tells what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.study.choices import option_ends
from cosim.study.schema import StudentPlan, Study
from energy_models.errors import StudentError, StudyError
from students.families import is_own_class, load_family
from students.models.build import build
from students.spec import Form, Shape, StudentSpec


def check_own_students(study: Study, shape: Shape) -> None:
    """Refuse a study with a network class of one's own that cannot be built, run or trained for its recordings.

    Of options that are searched over, the first combination is built; another one that fails is a failed point.

    Parameters
    ----------
    study : Study
    shape : Shape
        What a student takes and gives.

    Raises
    ------
    StudyError
        Every problem found, by dotted path.
    """
    plans = [(i, plan) for i, plan in enumerate(study.students) if is_own_class(load_family(plan.family))]
    problems = [f"students.{i}: {problem}" for i, plan in plans for problem in _problems(plan, shape)]
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        told = "\n  ".join(problems)
        raise StudyError(f"{count}; nothing was computed:\n  {told}".rstrip("."), where=study.study.name)


def _problems(plan: StudentPlan, shape: Shape) -> Iterator[str]:
    """Yield what is wrong with the forms of a student, each told once."""
    told: set[str] = set()
    for form in plan.forms:
        try:
            _build(plan, form, shape)
        except StudentError as error:
            if str(error) not in told:
                yield str(error)
            told.add(str(error))


def _build(plan: StudentPlan, form: Form, shape: Shape) -> None:
    options = option_ends(plan)[0]
    build(StudentSpec(family=plan.family, options=options, shape=shape, form=form, seed=0))
