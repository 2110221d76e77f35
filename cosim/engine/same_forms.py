"""Tells which forms of a student are one network, so that nobody takes their equal scores for a finding."""

from __future__ import annotations

from collections.abc import Iterator

from cosim.study.choices import option_ends
from cosim.study.schema import StudentPlan, Study
from energy_models.errors import StudentError
from students.models.build import build
from students.spec import Quantised, Shape, StudentSpec

Layout = tuple[object, ...]


def same_forms(study: Study, shape: Shape) -> tuple[str, ...]:
    """Return a line for every set of forms of one student that give the same network.

    They are built, not trained. Where options are searched over, forms count as the same where they are the same at
    both ends of what is searched.

    Parameters
    ----------
    study : Study
    shape : Shape
        What a student takes and gives.
    """
    return tuple(
        f"students.{i} ({plan.label}): {', '.join(texts[:-1])} and {texts[-1]} give the same network: they differ in "
        "no layer's widths"
        for i, plan in enumerate(study.students)
        for texts in _sets(plan, shape)
    )


def _sets(plan: StudentPlan, shape: Shape) -> Iterator[list[str]]:
    """Yield the forms of a student that are one network, as texts."""
    forms = [form for form in plan.forms if isinstance(form, Quantised)]
    if len(forms) < 2:
        return
    found: dict[Layout, list[str]] = {}
    for form in forms:
        found.setdefault(_layout(plan, form, shape), []).append(str(form))
    yield from (texts for texts in found.values() if len(texts) > 1)


def _layout(plan: StudentPlan, form: Quantised, shape: Shape) -> Layout:
    """Return what tells a form's network from others; the form itself where it cannot be built."""
    # Deferred: Brevitas takes seconds to import, and float students do not need it.
    from students.quantize import grid_layout

    layouts: list[object] = [form.training, form.scale, form.per]
    for options in option_ends(plan):
        spec = StudentSpec(family=plan.family, options=options, shape=shape, form=form, seed=0)
        try:
            layouts.append(grid_layout(build(spec)))
        except StudentError:  # told of the points that try it
            layouts.append(form)
    return tuple(layouts)
