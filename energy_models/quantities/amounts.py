"""An amount as a person writes it: a number in SI, or a text with a unit such as ``3 uW/channel``."""

from __future__ import annotations

import math
import re
from numbers import Real

from energy_models.errors import UnitError
from energy_models.quantities.units import require_dimension, units_of

_TEXT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")
_MICRO = str.maketrans({"µ": "u", "μ": "u"})


def amount_si(value: object, dimension: str, *, where: str) -> float:
    """Return an amount in SI.

    Parameters
    ----------
    value : float or str
        A number in SI, or a number with a unit: ``"3uW/channel"``, ``"240 MHz"``.
    dimension : str
        Dimension of `energy_models.quantities.units` that the unit must have.
    where : str
        What the amount is for, in messages.

    Raises
    ------
    UnitError
        Neither a number nor a text with a unit, a unit that is unknown or of another dimension (those of the right one
        are named), or a value that is not finite or below zero.
    """
    units = ", ".join(units_of(dimension))
    if isinstance(value, str):
        found = _TEXT.fullmatch(value)
        if found is None or not found[2]:
            what = "has no unit" if found else "is no number with a unit"
            raise UnitError(f"{value!r} {what}", where=where, remedy=f"Write a number and one of: {units}")
        try:
            amount = float(found[1]) * require_dimension(found[2].translate(_MICRO), dimension).factor
        except UnitError as error:
            raise UnitError(f"{value!r}: {error.what}", where=where, remedy=f"Use one of: {units}") from error
    elif isinstance(value, bool) or not isinstance(value, Real):
        raise UnitError(
            f"{value!r:.40} of type {type(value).__name__} is no amount", where=where,
            remedy=f"Give a number in SI, or a text with one of the units {units}",
        )
    else:
        amount = float(value)
    if not (math.isfinite(amount) and amount >= 0):
        raise UnitError(f"{value!r} is not a finite amount from 0 up", where=where, remedy="Give another one")
    return amount
