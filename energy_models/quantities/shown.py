"""How objects show themselves: numbers with a prefix, and a small HTML table for notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from energy_models.quantities.band import Band
from energy_models.quantities.units import UNITS, find_unit

_PREFIXES = ("G", "M", "k", "", "m", "u", "n", "p", "f")


def prefixed(value: float, unit: str) -> str:
    """Return a value in SI with a prefix that suits it: ``4.2e-5`` W as ``42 µW``.

    Parameters
    ----------
    value : float
    unit : str
        ``W``, ``J`` or another unit of `energy_models.quantities.units`.
    """
    if value == 0:
        return f"0 {unit}"
    known = [prefix for prefix in _PREFIXES if f"{prefix}{unit}" in UNITS]
    scaled = [(prefix, value / find_unit(f"{prefix}{unit}").factor) for prefix in known]
    prefix, amount = next(((p, amount) for p, amount in scaled if abs(amount) >= 1), scaled[-1])
    return f"{amount:.3g} {prefix.replace('u', 'µ')}{unit}"


def prefixed_band(band: Band, unit: str) -> str:
    """Return a value with its bounds: ``42 µW [20 µW, 95 µW]``."""
    return f"{prefixed(band.nominal, unit)} [{prefixed(band.low, unit)}, {prefixed(band.high, unit)}]"


def prefixed_floor(band: Band, unit: str) -> str:
    """Return a value of which only a part is known, with its bounds: ``at least 42 µW [at least 20 µW, unknown]``."""
    return f"at least {prefixed(band.nominal, unit)} [at least {prefixed(band.low, unit)}, unknown]"


def html_table(caption: str, rows: Sequence[Mapping[str, object]], *, most: int = 60) -> str:
    """Return rows as one HTML table, every text escaped; rows after the first `most` are counted, not shown."""
    names = list(rows[0]) if rows else []
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(_cell(row[name]))}</td>' for name in names)}</tr>" for row in rows[:most]
    )
    more = f"<p>and {len(rows) - most} rows more</p>" if len(rows) > most else ""
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    return f"<table><caption>{escape(caption)}</caption>{table}</table>{more}"


def _cell(value: object) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
