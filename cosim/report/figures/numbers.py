"""Numbers as people read them: prefixes, bounds, ratios."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from energy_models.quantities import DAY_S, HOUR_S, YEAR_S

PREFIXES = (
    (1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"),
)
SQUARE_MILLIMETRE_M2 = 1e-6
PREFIXED = frozenset({"J", "W", "W/cm²", "s", "bit/s", "Hz", "B", "K"})
BITS_PER_BYTE = 8
SPACE = "\u00a0"  # a value and its unit stay on one line
DIGITS, BOUND_DIGITS = 3, 2
LARGEST_RATIO = 1000.0


def prefix_of(value: float) -> tuple[float, str]:
    """Return the factor and letter that bring a value to between 1 and 1000."""
    size = abs(value) * (1 + 0.5 * 10.0**-DIGITS)  # 999.9 is written 1.00 of the next prefix
    fitting = [row for row in PREFIXES if row[0] <= size]
    return fitting[-1] if fitting else PREFIXES[0]


def digits_text(value: float, digits: int = DIGITS) -> str:
    """Return a number with about that many digits, never in scientific notation between 0.001 and 10^6."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return "∞" if value > 0 else "?"
    size = abs(value)
    places = max(0, digits - 1 - math.floor(math.log10(size) + 1e-9))
    if size >= 1e6 or places > DIGITS + 3:
        return f"{value:.2g}"
    text = f"{value:.{places}f}"
    trimmed = text.rstrip("0").rstrip(".") if "." in text else text
    return f"{float(trimmed):,.0f}" if size >= 1e4 else trimmed.replace("-", "−")


def quantity_text(value: float, unit: str) -> str:
    """Return a value in SI with a sane prefix: 4.2e-5 W as ``42 µW``; areas are of silicon, in mm²."""
    if unit == "m2":
        value, unit = value / SQUARE_MILLIMETRE_M2, "mm²"
    if value == 0 or unit not in PREFIXED:
        return f"{digits_text(value)}{SPACE}{unit}"
    factor, letter = prefix_of(value)
    return f"{digits_text(value / factor)}{SPACE}{letter}{unit}"


def band_text(low: float, nominal: float, high: float, unit: str) -> str:
    """Return a value with its bounds in one prefix: ``42 µW [20, 95]``."""
    factor, letter = prefix_of(nominal) if unit in PREFIXED and nominal != 0 else (1.0, "")
    ends = ", ".join(digits_text(end / factor, BOUND_DIGITS) for end in (low, high))
    return f"{digits_text(nominal / factor)}{SPACE}{letter}{unit} [{ends}]"


def scaled_band_text(row: Mapping[str, Any], name: str, symbol: str, unit: float) -> str:
    """Return ``name_nominal_symbol`` of a row with its bounds, in a unit: 42e-6 W in 1e-6 W as ``42 [20, 95]``."""
    low, nominal, high = (float(row[f"{name}_{end}_{symbol}"]) / unit for end in ("low", "nominal", "high"))
    return f"{digits_text(nominal)} [{digits_text(low, BOUND_DIGITS)}, {digits_text(high, BOUND_DIGITS)}]"


def varied_text(name: str, value: object) -> tuple[str, str]:
    """Return a column of a sweep and its value for reading: ``site.x [W]`` and 3e-6 as ``site.x`` and ``3 µW``."""
    path, _, unit = name.partition(" [")
    if not unit or not isinstance(value, int | float):
        return path, f"{value:g}" if isinstance(value, float) else str(value)
    above, per, below = unit.removesuffix("]").partition("/")
    return path, f"{quantity_text(value, above)}{per}{below}"


def score_text(mean: float, low: float, high: float) -> str:
    """Return a score with its interval: ``0.86 [0.81, 0.91]``; without one where there is a single repetition."""
    text = f"{mean:.3f}"
    return (text if math.isnan(low) else f"{text} [{low:.2f}, {high:.2f}]").replace("-", "−")


def score_of(row: Mapping[str, Any]) -> str:
    """Return a decoder's score with its interval, from a row of a summary."""
    return score_text(float(row["score_mean"]), float(row["score_low"]), float(row["score_high"]))


def ratio_text(headroom: float) -> str:
    """Return headroom in words: ``12× below the limit`` or ``3.1× over it``."""
    if headroom >= 1:
        return f"{_factor(headroom)}× below the limit" if headroom > 1 else "exactly at the limit"
    return f"{_factor(1 / headroom)}× over the limit"


def headroom_text(headroom: float) -> str:
    """Return headroom for a narrow table cell: ``12× free``, or ``3.1× over``."""
    return f"{_factor(headroom)}× free" if headroom >= 1 else f"{_factor(1 / headroom)}× over"


def _factor(ratio: float) -> str:
    if ratio > LARGEST_RATIO:
        return ">1000"
    return f"{ratio:.2f}" if ratio < 2 else f"{ratio:.1f}" if ratio < 10 else f"{ratio:.0f}"


def duration_text(seconds: float) -> str:
    """Return a long time in the largest of years, days and hours that it reaches: 1.2e6 s as ``13.9 days``."""
    for size, name in ((YEAR_S, "years"), (DAY_S, "days"), (HOUR_S, "hours")):
        if seconds >= size:
            return f"{digits_text(seconds / size)}{SPACE}{name}"
    return quantity_text(seconds, "s")
