"""Families by name, and what one of them can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from energy_models.errors import StudentError
from energy_models.registry import Registry
from students.families.family import Family, FamilyOptions, FormClass, Mode
from students.families.own_class import family_of, makes_networks
from students.spec import Converted, Float32, Form, Quantised, Scalar, Shape, check_trainable

FORM_WORDS: Mapping[FormClass, str] = {
    Float32: "float form", Quantised: "integer form", Converted: "form converted to spikes",
}  # fmt: skip


def _checked(name: str, found: object) -> Family[Any]:
    """Return the object if it is a family, or the family of a class or function that makes networks."""
    if isinstance(found, Family):
        return cast(Family[Any], found)
    if makes_networks(found):
        return family_of(name, found)
    raise StudentError(
        f"the object is a {type(found).__name__}, neither a network's class nor a Family", where=f"family {name!r}",
        remedy="Name as module:object a class of torch.nn.Module, a function that returns one, or a "
        "students.families.Family; after an update, install the package again",
    )


FAMILIES: Registry[Family[Any]] = Registry(
    group="students.families", kind="family", kinds="families", error=StudentError, check=_checked
)


def family_names() -> tuple[str, ...]:
    """Return the names of all registered families, sorted; nothing is imported."""
    return FAMILIES.names()


def load_family(name: str) -> Family[Any]:
    """Return the family of a registered name, or the one at ``module:object``.

    Raises
    ------
    StudentError
        No such family (with near names), two packages that claim one name, or an object that is no family.
    """
    return FAMILIES.load(name)


def deployment_mode(family: Family[Any], shape: Shape) -> Mode:
    """Return how a family decodes a task: a whole window at a time, or step by step.

    Raises
    ------
    StudentError
        A task that the family does not declare; those that do are named.
    """
    if shape.task not in family.tasks:
        able = ", ".join(name for name in family_names() if shape.task in load_family(name).tasks)
        raise StudentError(
            f"{family.title} decodes {' and '.join(family.tasks)} only, asked for {shape.task}", where="family",
            remedy=f"For {shape.task} choose one of: {able or 'none is installed'}",
        )
    return family.tasks[shape.task]


def check_form(family: Family[Any], form: Form) -> None:
    """Refuse a form that cannot be trained, or that the family does not declare.

    Raises
    ------
    StudentError
        Why, and which forms or families there are instead.
    """
    check_trainable(form)
    if isinstance(form, Quantised) and form.state_bits is not None and not family.spiking:
        raise StudentError(
            f"{family.title} has no neurons whose states could have {form.state_bits} bits ({form})", where="form",
            remedy="Leave the state bits out, or choose a spiking family",
        )
    if type(form) not in family.forms:
        able = ", ".join(name for name in family_names() if type(form) in load_family(name).forms)
        raise StudentError(
            f"{family.title} has no {FORM_WORDS[type(form)]} ({form})", where="form",
            remedy=f"It has: {', '.join(FORM_WORDS[one] for one in family.forms)}. For {form} choose one of: {able}",
        )


def parse_options(name: str, family: Family[Any], options: Mapping[str, Scalar]) -> FamilyOptions:
    """Return the family's options, completed with its defaults.

    Raises
    ------
    StudentError
        Naming every option that does not exist or is out of range.
    """
    try:
        return family.Options.model_validate(dict(options))
    except ValidationError as error:
        fields = ", ".join(family.Options.model_fields)
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise StudentError(problems, where=f"options of {name}", remedy=f"Options are: {fields}") from error
