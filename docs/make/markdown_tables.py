"""Numbers and tables as the generated pages write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Banded:
    """A number with its 95 % interval where there is one."""

    mean: float
    low: float | None
    high: float | None


def number(value: float) -> str:
    """Return a number with three digits, thousands apart, without an exponent."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.10f}".rstrip("0").rstrip(".")


def percent(share: float) -> str:
    """Return a share as per cent with one decimal, whole ones without."""
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def row(cells: Iterable[str]) -> str:
    """Return one line of a markdown table."""
    return f"| {' | '.join(cell.replace('|', ', ') for cell in cells)} |\n"
