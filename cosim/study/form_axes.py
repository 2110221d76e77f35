"""The forms of a student as a sampler sees them: one choice for each layer whose widths vary, where all combine.

``w8a8 conv={w4a4,w2a4} linear={w8a8,w4a4}`` is four forms. A sampler that is given four texts learns nothing of one
from another; given two choices, it does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from students.spec import Form, Quantised

AS_OTHERS = "as the others"
"""Of a layer that a form says nothing of."""


@dataclass(frozen=True, slots=True)
class FormGroup:
    """Forms that differ in the widths of single layers only.

    Parameters
    ----------
    text : str
        What they share, or the one form.
    widths : mapping of str to tuple of str
        Widths by layer, where they vary; every combination is a form.
    forms : mapping of tuple of str to Form
        By their widths, in the order of `widths`.
    """

    text: str
    widths: Mapping[str, tuple[str, ...]]
    forms: Mapping[tuple[str, ...], Form]


def single_groups(forms: Sequence[Form]) -> list[FormGroup]:
    """Return every form as a group of its own."""
    return [FormGroup(str(form), {}, {(): form}) for form in forms]


def form_groups(forms: Sequence[Form]) -> list[FormGroup]:
    """Return forms in groups, in the order of each group's first one; what does not combine stays by itself."""
    alike: dict[str, list[Quantised]] = {}
    for form in forms:
        if isinstance(form, Quantised):
            alike.setdefault(_base(form), []).append(form)
    found: dict[str, list[FormGroup]] = {}
    for form in forms:
        text = _base(form) if isinstance(form, Quantised) else str(form)
        found.setdefault(text, _grouped(text, alike[text]) if isinstance(form, Quantised) else single_groups([form]))
    return [group for groups in found.values() for group in groups]


def _base(form: Quantised) -> str:
    return str(form.model_copy(update={"overrides": ()}))


def _grouped(text: str, forms: list[Quantised]) -> list[FormGroup]:
    """Return forms that share their base as one group where they are all combinations of their layers' widths."""
    given = [{name: str(bits) for name, bits in form.overrides} for form in forms]
    names = list(dict.fromkeys(name for one in given for name in one))
    values = {name: tuple(dict.fromkeys(one.get(name, AS_OTHERS) for one in given)) for name in names}
    varying = {name: found for name, found in values.items() if len(found) > 1}
    if not varying or math.prod(map(len, varying.values())) != len(forms):
        return single_groups(forms)
    shared = [f"{name}={found[0]}" for name, found in values.items() if len(found) == 1]
    combined = {tuple(one.get(name, AS_OTHERS) for name in varying): form
                for one, form in zip(given, forms, strict=True)}  # fmt: skip
    return [FormGroup(" ".join([text, *shared]), varying, combined)]


def form_choices(groups: Sequence[FormGroup], label: str, form: Form) -> dict[str, str]:
    """Return the choices with which `chosen_form` chooses a form; it is one of the groups'."""
    group, widths = next(
        (group, widths) for group in groups for widths, found in group.forms.items() if found == form
    )
    layers = {f"{label}.form {group.text} {name}": width for name, width in zip(group.widths, widths, strict=True)}
    return {f"{label}.form": group.text, **layers}


def chosen_form(groups: Sequence[FormGroup], label: str, choose: Callable[[str, Sequence[str]], str]) -> Form:
    """Return the form that a sampler or a record chooses.

    Parameters
    ----------
    groups : sequence of FormGroup
    label : str
        Of the student.
    choose : callable
        ``choose(name, values)``: one of the values for the choice of a name.
    """
    text = choose(f"{label}.form", [group.text for group in groups])
    group = next(group for group in groups if group.text == text)
    return group.forms[tuple(choose(f"{label}.form {text} {name}", found) for name, found in group.widths.items())]
