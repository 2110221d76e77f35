"""Teachers by name: entry points of the group ``cosim.teachers``, or an object of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from cosim.teachers.teacher import Teacher, TeacherOptions
from energy_models.errors import StudyError
from energy_models.registry import Registry


def _checked(name: str, found: object) -> Teacher[Any]:
    """Return the object if it is a teacher."""
    if not isinstance(found, Teacher):
        raise StudyError(f"the object is a {type(found).__name__}, not a Teacher", where=f"teacher {name!r}",
                         remedy="Name a cosim.teachers.teacher.Teacher as module:object.")  # fmt: skip
    return cast(Teacher[Any], found)


TEACHERS: Registry[Teacher[Any]] = Registry(
    group="cosim.teachers", kind="teacher", kinds="teachers", error=StudyError, check=_checked
)


def parse_teacher(name: str, options: Mapping[str, Any]) -> tuple[Teacher[Any], TeacherOptions]:
    """Return a teacher and its options, completed with its defaults.

    Raises
    ------
    StudyError
        No such teacher, or naming every option that does not exist or is refused.
    """
    teacher = TEACHERS.load(name)
    try:
        return teacher, teacher.Options.model_validate(dict(options))
    except ValidationError as error:
        fields = ", ".join(teacher.Options.model_fields) or "none"
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        where = f"options of teacher {name!r}"
        raise StudyError(problems, where=where, remedy=f"Its options are: {fields}.") from error
