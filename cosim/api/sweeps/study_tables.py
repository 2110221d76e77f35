"""What a feasibility study says beside its points: what fits how far, raw streaming, crossovers and levers."""

# pandas ships neither stubs nor full annotations.
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from cosim.api.sweeps.grid import BITS, CHANNELS, RATE
from cosim.api.sweeps.sweep_lines import FITTING
from cosim.api.sweeps.sweep_point import PricedPoint
from cosim.tables.feasibility import NOT_COMPARED
from cosim.tables.readable import CANNOT_RUN
from energy_models.analysis import StreamingDraws, crossover, spread, streaming_draws
from energy_models.feasibility import levers, longest_duty_cycle

Row = Mapping[str, Any]
SHARED = (CHANNELS, RATE, BITS)
"""Axes along which the machine and the site stay the same, so that their constants are drawn once for all points."""
QUANTILES = ("5_percent", "median", "95_percent")
SAYS = ("workload", "machine", "site")


def numeric_axes(rows: Sequence[Row], varied: Sequence[str]) -> list[str]:
    """Return what was varied and holds numbers, that with the most values first."""
    numbers = [name for name in varied if all(isinstance(row[name], int | float) for row in rows)]
    return sorted(numbers, key=lambda name: -len({row[name] for row in rows}))


def series(rows: Sequence[Row], varied: Sequence[str], axis: str) -> list[tuple[dict[str, Any], list[int]]]:
    """Return the rows that differ along one axis only, ascending: what tells them from others, and their places."""
    others = [name for name in _apart(varied) if name != axis]
    found: dict[tuple[Any, ...], list[int]] = {}
    for place, row in enumerate(rows):
        found.setdefault(tuple(row[name] for name in others), []).append(place)
    return [
        (dict(zip(others, key, strict=True)), sorted(places, key=lambda place: rows[place][axis]))
        for key, places in found.items()
    ]


def _apart(varied: Sequence[str]) -> list[str]:
    """Return the columns that tell points apart; what is assumed of a width is one with the width."""
    return [name for name in dict.fromkeys((*SAYS, *varied)) if name != "widths"]


def fit_rows(rows: Sequence[Row], varied: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield for each axis and series how far it fits: up to, or from, which of the values tried, and about where.

    ``about`` is where the headroom of the binding limit is 1, linear in the logarithms of both between the two values
    tried; empty where it never is, or where the nominal figures are not what decides.
    """
    for axis in numeric_axes(rows, varied):
        for told, places in series(rows, varied, axis):
            apart = {name: told.get(name) for name in _apart(varied)}
            yield {**apart, "axis": axis, **_fit([rows[place] for place in places], axis)}


def _fit(along: Sequence[Row], axis: str) -> dict[str, Any]:
    fits = [row["verdict"] in FITTING for row in along]
    values = [float(row[axis]) for row in along]
    kept = [value for value, fit in zip(values, fits, strict=True) if fit]
    found: dict[str, Any] = {
        "answer": "fits at no value" if not kept else "fits at every value" if all(fits) else "fits at some values",
        "fits_from": min(kept, default=math.nan), "fits_to": max(kept, default=math.nan), "next_tried": math.nan,
        "about": math.nan, "limit": "",
    }
    changes = [(before, after) for before, after in pairwise(range(len(along))) if fits[before] != fits[after]]
    if len(changes) != 1:
        return found
    before, after = changes[0]
    rising = fits[after]
    other = along[before if rising else after]
    return {
        **found, "answer": "fits from" if rising else "fits up to", "next_tried": float(other[axis]),
        "about": _crossing(along[before], along[after], axis),
        "limit": CANNOT_RUN if other["verdict"] == CANNOT_RUN else other["binding_limit"] or other["verdict"],
    }


def _crossing(first: Row, second: Row, axis: str) -> float:
    """Return where headroom is 1 between two points; not a number where it does not cross there."""
    if CANNOT_RUN in (first["verdict"], second["verdict"]):
        return math.nan  # its headroom is that of a device that does less than is asked
    rooms = [float(row["headroom"]) for row in (first, second)]
    places = [float(row[axis]) for row in (first, second)]
    if not all(math.isfinite(one) and one > 0 for one in (*rooms, *places)) or (rooms[0] >= 1) == (rooms[1] >= 1):
        return math.nan
    share = math.log(rooms[0]) / (math.log(rooms[0]) - math.log(rooms[1]))
    return math.exp(math.log(places[0]) + share * math.log(places[1] / places[0]))


def streaming_tables(
    points: Sequence[PricedPoint], rows: Sequence[Row], varied: Sequence[str], *, draws: int, seed: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return how surely decoding draws less than raw streaming at every point, and where that changes along an axis.

    Parameters
    ----------
    points, rows
        In one order.
    varied : sequence of str
    draws, seed : int
        Of the uncertain constants; draws a power of two.
    """
    places = [place for place, point in enumerate(points) if point.compares]
    found = streaming_draws(
        [points[place].design for place in places], draws=draws, seed=seed,
        channels=[points[place].sent_channels for place in places],
        learning=[points[place].learning_draws_w for place in places],
    ) if places else ()  # fmt: skip
    drawn = dict(zip(places, found, strict=True))
    apart = _apart(varied)
    odds = [{**{name: row[name] for name in apart}, **_odds(drawn.get(place))} for place, row in enumerate(rows)]
    crossings = [
        {
            **{name: told.get(name) for name in apart}, "axis": axis,
            **_crossover([rows[place][axis] for place in along], [drawn.get(one) for one in along]),
        }
        for axis in numeric_axes(rows, varied)
        if axis in SHARED
        for told, along in series(rows, varied, axis)
    ]
    return odds, crossings


def _odds(drawn: StreamingDraws | None) -> dict[str, Any]:
    if drawn is None:
        nothing = {f"{name}_{end}": math.nan for name in ("saved_w", "break_even_j_per_bit") for end in QUANTILES}
        return {"answer": NOT_COMPARED, "probability_decoding_saves": math.nan, **_named(nothing)}
    share = drawn.probability
    cells = {f"saved_w_{end}": value for end, value in zip(QUANTILES, spread(drawn.saved_w), strict=True)}
    even = spread(drawn.break_even_j_per_bit)
    cells |= {f"break_even_j_per_bit_{end}": value for end, value in zip(QUANTILES, even, strict=True)}
    answer = "decoding cheaper" if share >= 0.5 else "streaming cheaper"
    return {"answer": answer, "probability_decoding_saves": share, **_named(cells)}


def _named(cells: Mapping[str, float]) -> dict[str, float]:
    """Return quantiles under names that end in their unit."""
    found: dict[str, float] = {}
    for name, value in cells.items():
        for unit in ("_w", "_j_per_bit"):
            stem, sign, end = name.partition(f"{unit}_")
            if sign:
                found[f"{stem}_{end}{unit}"] = value
    return found


def _crossover(values: Sequence[float], drawn: Sequence[StreamingDraws | None]) -> dict[str, Any]:
    known = [(value, one.saved_w) for value, one in zip(values, drawn, strict=True) if one is not None]
    left = [f"{value:g}" for value, one in zip(values, drawn, strict=True) if one is None]
    counts = {"values_tried": len(known), "values_not_compared": ", ".join(left)}
    names = ("at_5_percent", "at", "at_95_percent")
    nothing = dict.fromkeys(names, math.nan)
    shares = ("always_decoding", "always_streaming", "crosses_once", "crosses_more_often")
    if len(known) < 2:
        return {"answer": NOT_COMPARED, **nothing, **dict.fromkeys(shares, math.nan), **counts}
    found = crossover([value for value, _ in known], [saved for _, saved in known])
    where = {None: "does not cross", "above": "decoding cheaper above", "below": "decoding cheaper below"}[found.side]
    if found.side is None and max(found.decoding, found.streaming) >= 0.5:
        less = "decoding" if found.decoding > found.streaming else "streaming"
        where = f"{less} cheaper throughout those compared ({known[0][0]:g} to {known[-1][0]:g})"
    ends = (math.nan, math.nan) if found.range_at is None else (found.range_at[0], found.range_at[2])
    at = math.nan if found.at is None else found.at
    told = dict(zip(shares, (found.decoding, found.streaming, found.crossing, found.several), strict=True))
    places = dict(zip(names, (ends[0], at, ends[1]), strict=True))
    return {"answer": where, **places, **told, **counts}


def lever_rows(points: Iterable[PricedPoint], rows: Iterable[Row], varied: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield for every point each constant and the value at which all limits just hold; least change first.

    Where the device is not always on, the share of the time in which it may be is a lever too, against the battery.
    """
    apart = _apart(varied)
    for point, row in zip(points, rows, strict=True):
        if point.asked is None or not point.whole:
            continue
        told = {name: row[name] for name in apart}
        share = point.point.grid.duty_cycle or 1.0
        rate_hz = point.report.decode_rate_hz
        found = levers(
            point.work, point.machine, point.asked, decode_rate_hz=rate_hz, duty_cycle=share,
            learning_w=point.learning_w, electrodes_lost=point.lost,
        )  # fmt: skip
        for lever in found:
            yield {
                **told, "lever": lever.name, "unit": lever.unit, "now": lever.now,
                "bound": math.nan if lever.bound is None else lever.bound,
                "fits": "at most" if lever.is_cost else "at least", "fits_now": lever.fits_now, "text": lever.text,
            }
        yield from ({**told, **one} for one in _duty_lever(point))


def _duty_lever(point: PricedPoint) -> Iterator[dict[str, Any]]:
    share = point.point.grid.duty_cycle
    battery = [] if point.verdict is None else [one for one in point.verdict.checks if one.name == "battery"]
    if share is None or point.off_w is None or not battery:
        return
    on_w, off_w, allowed_w = point.report.total_power_w.nominal, point.off_w.nominal, battery[0].limit.nominal
    allowed_w -= 0.0 if point.added_w is None else point.added_w.nominal
    bound = longest_duty_cycle(on_w, off_w, allowed_w)
    text = "no share of the time" if bound is None else f"on for at most {bound:.3g} of the time"
    yield {
        "lever": "duty_cycle", "unit": "1", "now": share, "bound": math.nan if bound is None else bound,
        "fits": "at most", "fits_now": bound is not None and share <= bound,
        "text": f"duty_cycle: the battery carries it {text}",
    }
