"""Forms as texts of before first and last weights followed the form: then they had 8 bits where nothing was said."""

from __future__ import annotations

from students.spec.form import Converted, Form, Quantised, parse_form

FORMER_EDGE_BITS = 8
"""Width of first and last weights where a text of that time says nothing [bits]."""


def former_form(text: str) -> Form:
    """Return the form that a text of before meant; ``w4a4`` was today's ``w4a4 edge=8``.

    Raises
    ------
    StudentError
        As `parse_form`.
    """
    return _with_edges(parse_form(text), said="edge=" in text)


def _with_edges(form: Form, *, said: bool) -> Form:
    if isinstance(form, Converted):
        return form.model_copy(update={"source": _with_edges(form.source, said=said)})
    if not isinstance(form, Quantised) or said:
        return form
    return Quantised.model_validate({**dict(form), "edge_bits": FORMER_EDGE_BITS})
