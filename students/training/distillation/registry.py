"""Finds a distillation method by its entry point's name, or at ``module:object``."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from energy_models.errors import StudentError
from energy_models.registry import Registry
from students.spec import MethodSpec
from students.training.distillation.method import Method, MethodOptions, TaughtOptions


def _method(name: str, found: object) -> Method[Any]:
    if not isinstance(found, Method):
        raise StudentError(
            f"{name!r} is a {type(found).__name__}, not a distillation method", where="method",
            remedy="Name an object of students.training.distillation.method.Method",
        )
    return found


METHODS: Registry[Method[Any]] = Registry("students.methods", "method", "methods", StudentError, _method)


def parse_method(spec: MethodSpec) -> tuple[Method[Any], MethodOptions]:
    """Return a method and its options, completed with its defaults.

    Raises
    ------
    StudentError
        No such method, or naming every option that does not exist or is out of range.
    """
    method = METHODS.load(spec.name)
    try:
        return method, method.options.model_validate(spec.options)
    except ValidationError as error:
        fields = ", ".join(method.options.model_fields) or "none"
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StudentError(problems, where=f"options of {spec.name}", remedy=f"Options are: {fields}") from error


def needs_teacher(spec: MethodSpec) -> bool:
    """Return whether a method reads targets of a teacher; a control trains from labels.

    Raises
    ------
    StudentError
        As `parse_method`.
    """
    method, options = parse_method(spec)
    return bool(method.needs(options).teacher)


def asks_teacher(spec: MethodSpec) -> bool:
    """Return whether a method changes the inputs, so that a teacher has to be asked about what the student sees.

    Raises
    ------
    StudentError
        As `parse_method`.
    """
    method, options = parse_method(spec)
    needs = method.needs(options)
    return needs.view is not None and bool(needs.teacher)


def leaves_unlabelled(spec: MethodSpec) -> bool:
    """Return whether a method learns the teacher's answers on labelled examples alone.

    Raises
    ------
    StudentError
        As `parse_method`.
    """
    _, options = parse_method(spec)
    return isinstance(options, TaughtOptions) and options.unlabelled == "left_out"


def complete_method(spec: MethodSpec) -> MethodSpec:
    """Return the description with the method's defaults written out, so that a digest names them.

    Raises
    ------
    StudentError
        As `parse_method`.
    """
    return spec.model_copy(update={"options": parse_method(spec)[1].model_dump(mode="json")})
