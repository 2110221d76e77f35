"""Which distillation method a student is trained with."""

from __future__ import annotations

from pydantic import Field

from students.spec.frozen import Frozen, Scalar


class MethodSpec(Frozen):
    """A distillation method and its options.

    Parameters
    ----------
    name : str
        Name of an entry point in the group ``students.methods``, or ``module:object``.
    options : dict
        Validated, and completed with its defaults, by the method's own options model.
    """

    name: str = Field(min_length=1)
    options: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
