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
from energy_models.calibration.board import Calibration
from energy_models.calibration.crossval import around
from energy_models.calibration.fit import LAYER_PRIOR
from energy_models.errors import ProfileError
from energy_models.hardware import HardwareProfile
from energy_models.quantities import Band, Source, load_sources, parse_model
from energy_models.workload import Kind

AS_LINEAR: tuple[Kind, ...] = ("recurrent", "attention", "matmul")
DIGITS = 5


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

    Clock, power, cycles of integer products, and cycles by layer and decode are the calibration's. Everything else is
    the template's: memories, sleep, float, operations outside products.

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
    table["description"] = f"Calibrated on {where}; all but products, power and clock as {template.name}."
    clock = first.clock_hz * 1e-6
    table["clock"] = _quantity(Band(clock, clock, clock), "MHz", key, where, "as stated")
    execution = cast(dict[str, Any], table["execution"])
    execution["active_power"] = _power(found, key, where)
    execution["cycles_per_product"]["integer"] |= _products(found, key, where)
    execution["cycles_per_layer"] = _per_layer(found, key, where)
    execution["cycles_per_decode"] = _quantity(Band(0, 0, 0), "cycle", key, where, "contained in the products' cycles")
    execution["product_widths"]["integer"][0]["factor"] |= {"basis": "derived", "source": key, "where": where}
    table["sources"] = {**table.get("sources", {}), **own}
    parse_model(table, HardwareProfile, where=name)
    return table


def _power(found: Calibration, key: str, where: str) -> dict[str, Any]:
    """Return the power under a network load: its bounds hold the board's rows and 90 % of the held-out ones."""
    rows = [row.power_w * 1e3 for row in found.rows]
    value, spread = found.board.power_w * 1e3, found.cross_validation.spread("power")
    bounds = Band(min(*rows, value / spread), value, max(*rows, value * spread))
    note = f"geometric mean; low, high: least and most, or factor {spread:.3g} that holds 90 % of the held-out rows"
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
    """Return cycles per product of the fitted kinds, and of those taken as linear."""
    check = found.cross_validation
    own = [row for row in found.fitted_on if row.software == found.rows[0].software]
    error = (
        f"{len(own)} rows of {len({row.chip for row in own})} chips share the weights, held near those of "
        f"{len(found.fitted_on) - len(own)} rows of other software; "
        f"{len(check.held_out)} held-out rows: energy off by {check.median:.1%} (median), "
        f"{check.percentile_90:.1%} (90th percentile)"
    )
    measured = {kind for row in found.fitted_on for kind in row.macs}
    rows: dict[str, Any] = {}
    for kind, weight in found.weights.kinds.items():
        like: Kind = "linear" if kind in AS_LINEAR and kind not in measured else kind
        if like not in measured:
            continue
        value = found.board.cycles_per_unit * (found.weights.kinds[like] if like != kind else weight)
        how = f"as {like}; " if like != kind else f"{weight:.3g} times convolution; "
        rows[kind] = _quantity(_within(found, like, value), "cycle/MAC", key, where, how + error)
    return rows


def _within(found: Calibration, kind: Kind, value: float) -> Band:
    """Return the band that holds 90 % of the held-out rows, wider for a kind whose weight hangs on one chip."""
    logs = (math.log(found.cross_validation.spread("cycles")), math.log(found.weight_spreads[kind]))
    return around(value, math.exp(math.hypot(*logs)))


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
