"""Writes a calibrated board as a profile: fitted numbers from the table, all else from a machine of its class."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from energy_models.analysis import Z95
from energy_models.calibration.board import LEAST_OF_FEW, Calibration
from energy_models.calibration.crossval import CrossValidation, Measure, around
from energy_models.calibration.fit import LAYER_PRIOR, PRIOR, power_at, supply_doubt
from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile
from energy_models.quantities import Band, Source, load_sources, parse_model
from energy_models.workload import ProductKind

DIGITS = 5
DECIDES = 0.05
"""A kind that takes less of every network's cycles is decided by none; assumed: as much as good rows are off."""


def table_source(path: Path) -> Source:
    """Return the bibliographic record of a table, found again by its contents."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Source(
        title=f"Board measurements in {path.name}", authors="the table's author", year=datetime.date.today().year,
        venue="table given to cosim calibrate", locator=f"sha256 {digest}", read="original",
    )


def calibrated_profile(
    found: Calibration, template: HardwareProfile, *, name: str, source: Source | None = None
) -> dict[str, Any]:
    """Return the table of a profile, as its TOML holds it.

    Clock, power, supply, cycles of integer products of measured kinds, and cycles by layer and decode are the
    calibration's. Everything else is the template's, and says so: kinds that no row holds, float, operations outside
    products, memories, and, as assumptions, the supply where the table has none, sleep and wake-up, which belong to
    another board.

    Parameters
    ----------
    found : Calibration
    template : HardwareProfile
        A programmable core.
    name : str
        Of the profile and its file.
    source : Source, optional
        Record of the measurements; left out where every row names a shipped record.

    Raises
    ------
    ProfileError
        When the template is no programmable core, no record is known, or the result is no valid profile.
    """
    if template.execution.style != "programmable_core":
        remedy = "Name a microcontroller or a programmable cluster as the template"
        raise ProfileError(f"{template.name} is no programmable core", where=name, remedy=remedy)
    key, own = _record(found, name, source)
    first = found.rows[0]
    where = f"{first.board}, {first.software}: {', '.join(row.network for row in found.rows)}"
    table = template.model_dump(mode="json", exclude_none=True)
    table["name"], table["title"] = name, f"{first.board} ({first.software})"
    table["description"] = f"Calibrated on {where}; all but products, power, supply and clock as {template.name}."
    clock = first.clock_hz * 1e-6
    table["clock"] = _quantity(Band(clock, clock, clock), "MHz", key, where, "as stated")
    table |= _of_another_board(table, found, key, where, template.name)
    table.pop("gathering", None)  # of another board, and of an input that this one may not have
    execution = cast(dict[str, Any], table["execution"])
    execution["active_power"] = _power(found, key, where)
    products = cast(dict[str, Any], execution["cycles_per_product"]["integer"])
    kept_note = f"kept from {template.name}: no row holds such products"
    kept = {kind: _noted(one, kept_note) for kind, one in products.items()}
    execution["cycles_per_product"]["integer"] = kept | _products(found, key, where)
    execution["cycles_per_layer"] = _per_layer(found, key, where)
    execution["cycles_per_decode"] = _quantity(Band(0, 0, 0), "cycle", key, where, "contained in the products' cycles")
    execution["product_widths"]["integer"][0]["factor"] |= {"basis": "derived", "source": key, "where": where}
    table["sources"] = {**table.get("sources", {}), **own}
    parse_model(table, HardwareProfile, where=name)
    return table


def _of_another_board(
    table: Mapping[str, Any], found: Calibration, key: str, where: str, template: str
) -> dict[str, Any]:
    """Return supply, static power and wake-up: the table's where it states them, else the template's as assumptions."""
    supply = found.rows[0].supply_v
    if supply is None:
        known = _assumed(table["supply"], f"of {template}: the table does not state the supply")
    else:
        known = _quantity(Band(supply, supply, supply), "V", key, where, "as stated")
    sleep = f"of {template}, another board: measure it where the decoder sleeps most of the time"
    wake = {name: _assumed(one, sleep) for name, one in table["wake"].items()}
    return {"supply": known, "static": _assumed(table["static"], sleep), "wake": wake}


def _assumed(quantity: Mapping[str, Any], why: str) -> dict[str, Any]:
    return _noted(quantity, why) | {"basis": "assumed"}


def _noted(quantity: Mapping[str, Any], why: str) -> dict[str, Any]:
    note = quantity.get("note", "")
    return {**quantity, "note": f"{why}; {note}" if note else why}


def _power(found: Calibration, key: str, where: str) -> dict[str, Any]:
    """Return the power under a network load: its bounds hold the board's rows and 90 % of the held-out ones."""
    first = found.rows[0]
    rows = [power * 1e3 for row in found.rows if (power := power_at(row, first.supply_v)) is not None]
    value, spread, doubt = found.power_w * 1e3, found.check.spread("power"), supply_doubt(found.rows)
    bounds = Band(min(*rows, value / spread) / doubt, value, max(*rows, value * spread) * doubt)
    note = f"geometric mean; low, high: least and most, or factor {spread:.3g} that holds 90 % of the held-out rows"
    if doubt > 1.0:
        note += f", wider by {doubt:.3g}: supplies differ by it and the regulator is unknown"
    blind = sum(row.supply_v is None and row.regulator != "switched" and row.power_w is not None for row in found.rows)
    if 0 < blind < len(rows):
        note += f"; supply of {blind} rows unknown: their power is taken as it was measured"
    return _quantity(bounds, "mW", key, where, note)


def _per_layer(found: Calibration, key: str, where: str) -> dict[str, Any]:
    """Return cycles per layer: fitted, or the prior where the rows do not decide them."""
    value = found.board.cycles_per_unit * found.weights.layer
    high = value * math.exp(Z95 * LAYER_PRIOR[1])
    if found.layers_decided:
        return _quantity(Band(0, value, high), "cycle", key, where, "fitted beside the products")
    note = f"the rows do not decide it: near {LAYER_PRIOR[0]:g} products of a convolution, the prior of the fit"
    return _quantity(Band(0, value, high), "cycle", key, where, note) | {"basis": "assumed"}


def _record(found: Calibration, name: str, source: Source | None) -> tuple[str, dict[str, Any]]:
    """Return the key of the measurements' record, and the record where the file must bring it."""
    if source is not None:
        key = f"{name}_table"
        return key, {key: source.model_dump()}
    keys = {row.source for row in found.rows}
    if len(keys) != 1 or not keys <= set(load_sources()):
        remedy = "Give one record, or name one shipped record in column 'source'"
        raise ProfileError("no record of the measurements", where=name, remedy=remedy)
    return keys.pop(), {}


def _products(found: Calibration, key: str, where: str) -> dict[str, Any]:
    """Return cycles per product of the kinds that were measured."""
    measured = found.measured_kinds
    own = [row for row in found.fitted_on if row.kernels == found.rows[0].kernels]
    shared = (
        f"{len(own)} rows of {len({row.chip for row in own})} chips share the weights, held near those of "
        f"{len(found.fitted_on) - len(own)} rows of other libraries"
    )
    new = f"its library is in none of the {len(found.fitted_on)} rows behind the weights, hence wider bounds"
    few = f"; few held-out rows: factor {LEAST_OF_FEW:g} at least, assumed" if found.widened else ""
    error = f"{shared if own else new}; {held_out_text(found.check)}{few}"
    products: dict[str, Any] = {}
    for kind, weight in found.weights.kinds.items():
        if kind not in measured:
            continue
        value, note = found.board.cycles_per_unit * weight, f"{weight:.3g} times convolution"
        most = max(found.weights.share(row, kind) for row in (*found.fitted_on, *found.rows))
        if kind == "conv" or most >= DECIDES:
            products[kind] = _quantity(_within(found, kind, value), "cycle/MAC", key, where, f"{note}; {error}")
            continue
        prior = around(value, found.cycles_spread * math.exp(Z95 * PRIOR[kind][1]))
        few_products = f"{note}, near the prior of the fit: {most:.1%} of a network's cycles at most decide nothing"
        products[kind] = _quantity(prior, "cycle/MAC", key, where, few_products) | {"basis": "assumed"}
    return products


def held_out_text(check: CrossValidation) -> str:
    """Return how far off held-out energies are, and cycles, in words; without an energy that none is tested."""
    measures: tuple[Measure, ...] = ("energy", "cycles")
    found = [(name, check.of_measure(name)) for name in measures]
    return ", ".join(
        f"{name} off by {one.median:.1%} (median) and {one.percentile_90:.1%} (90th percentile), "
        f"{len(one.errors)} held-out figures" if one.held_out else f"{name} not tested"
        for name, one in found
    )  # fmt: skip


def _within(found: Calibration, kind: ProductKind, value: float) -> Band:
    """Return the band that holds 90 % of the held-out cycles, wider for a kind whose weight hangs on one chip."""
    return around(value, max(found.cycles_spread, found.weight_spreads.get(kind, 1.0)))


def _quantity(band: Band, unit: str, source: str, where: str, note: str) -> dict[str, Any]:
    low, value, high = (float(f"{one:.{DIGITS}g}") for one in (band.low, band.nominal, band.high))
    return {
        "value": value, "low": low, "high": high, "unit": unit, "basis": "derived", "source": source, "where": where,
        "note": note,
    }


def toml_text(table: Mapping[str, Any]) -> str:
    """Return a profile's table as TOML: quantities and records in one line each, tables after plain values."""
    return "\n".join(_lines(table, "")).strip() + "\n"


def _lines(table: Mapping[str, Any], path: str) -> list[str]:
    plain = {key: value for key, value in table.items() if not _is_table(value)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in table.items():
        inner = f"{path}.{key}" if path else key
        if key in plain:
            continue
        if isinstance(value, Mapping):
            some = cast(Mapping[str, Any], value)
            head = ["", f"[{inner}]"] if any(not _is_table(one) for one in some.values()) else []
            lines += [*head, *_lines(some, inner)]
        else:
            for item in cast(list[Mapping[str, Any]], value):
                lines += ["", f"[[{inner}]]", *_lines(item, inner)]
    return lines


def _is_table(value: object) -> bool:
    """Return whether a value needs a heading: a table that is no quantity or record, or a list of tables."""
    if isinstance(value, Mapping):
        return not {"value", "unit"} <= set(cast(Mapping[str, Any], value)) and "authors" not in value
    if not isinstance(value, list):
        return False
    items = cast(list[object], value)
    return bool(items) and isinstance(items[0], Mapping)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        items = cast(Mapping[str, object], value).items()
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in items if item != "") + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(item) for item in cast(list[object], value)) + "]"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return json.dumps(value, ensure_ascii=False)  # TOML's basic strings, integers and booleans are JSON's
