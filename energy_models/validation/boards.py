"""Boards and clusters: every measured row beside what a shipped profile, or a calibration without that row, predicts.

Held-out rows of microcontrollers are predicted from each one other network of the same board and software, those of
other boards from all; layer weights come from other chips. Where a row, or what it is predicted from, has no energy,
its latency is predicted. Their band is the factor either way that holds 90 % of the held-out rows of the *other* chips
whose library was measured, or not, as the row's. Where a class has one chip with several rows, that is too few: the
band is that of its other networks, or of the microcontrollers if wider. Rows that a profile prices have the profile's
own bounds.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, cast

from energy_models.calibration import (
    PRODUCT_KINDS,
    BoardRow,
    CrossValidation,
    HeldOut,
    around,
    band_without,
    from_one_network,
    leave_one_out,
    shipped_rows,
)
from energy_models.calibration.crossval import COVERED
from energy_models.hardware import HardwareProfile, load_profile
from energy_models.pricing import estimate
from energy_models.quantities import Band, find_unit, parse_model
from energy_models.validation.networks import bulk_network
from energy_models.validation.rows import Role, ValidationRow
from energy_models.workload import ProductKind

NEWEST = "STMicroelectronics v1.2"
PROFILE_OF: Mapping[tuple[str, str], str] = {
    ("NUCLEO_L4R5ZI", NEWEST): "cortex_m4f",
    ("NUCLEO_U575ZI_Q", NEWEST): "cortex_m33_u575",
    ("NUCLEO_H7A3ZI_Q", NEWEST): "cortex_m7_h7a3",
    ("syntiant_9120_0v9_30mhz", "syntiant v1.0"): "ndp120",
    ("gap9_650_240", "greenwaves-technologies v1.0"): "gap9",
}
"""The board and software that each shipped profile was calibrated on."""
SUPPLY_SPREAD = 1.25
"""Factor either way for energy taken to another supply by its square: leakage and the rails that do not move."""


@cache
def board_rows() -> tuple[ValidationRow, ...]:
    """Return every measured row of boards and clusters with its prediction."""
    return (
        *_calibrated("cortex_m"), *_calibrated("tinymaix"), *_calibrated("ndp"), *_calibrated("pulp"),
        *_fitted("cortex_m"), *_fitted("ndp"), *_fitted("gap9"), *_other_supply("gap9", "gap9_650_240", "gap9_800_370"),
        *_other_supply("ndp", "syntiant_9120_0v9_30mhz", "syntiant_9120_1v1_98mhz"), *_chips(),
    )


def _calibrated(device_class: str) -> Iterable[ValidationRow]:
    """Return each row as predicted from other networks of its board, with weights of other chips."""
    check = microcontroller_check() if device_class == "cortex_m" else leave_one_out(shipped_rows(device_class))
    for one in check.held_out:
        networks = ", ".join(dict.fromkeys(one.calibrated_on))
        library = "" if one.library == "measured" else f"; library {one.row.kernels} on no other chip"
        note = f"calibrated on {networks} of the same board and software{library}"
        yield _held_out(one, _spread_without(check, one), f"calibrated on {networks}", note)


def _spread_without(check: CrossValidation, one: HeldOut) -> float:
    """Return the factor either way that a row's own chip did not help to find."""
    if any(other.row.chip != one.row.chip for other in check.held_out):
        return band_without(check, one, COVERED)
    networks = tuple(other for other in check.held_out if other.row.network != one.row.network)
    return max(CrossValidation(networks).spread("either"), microcontroller_check().spread("either"))


@cache
def microcontroller_check() -> CrossValidation:
    """Return every row of a microcontroller, predicted from each one other network of its board and software."""
    return from_one_network(shipped_rows("cortex_m"))


def _fitted(device_class: str) -> Iterable[ValidationRow]:
    for row in shipped_rows(device_class):
        if row.group in PROFILE_OF and row.energy_j is not None:
            name = PROFILE_OF[row.group]
            note = f"profile {name}"
            yield _row(row, ("energy", "uJ", _energy_uj(name, row), row.energy_j * 1e6), "fitted", name, note)


def _energy_uj(name: str, row: BoardRow) -> Band:
    report = estimate(bulk_network(row.network, row.macs, row.layers), load_profile(name), None, decode_rate_hz=1.0)
    return report.decode_energy_j.times(1e6)


def _other_supply(device_class: str, low: str, high: str) -> Iterable[ValidationRow]:
    """Return rows at the high supply as the energy at the low one times the square of the supplies' ratio."""
    rows = {(row.board, row.network): row for row in shipped_rows(device_class)}
    for (board, network), row in rows.items():
        below = rows.get((low, network))
        if board != high or below is None:
            continue
        above_j, below_j, above_v, below_v = row.energy_j, below.energy_j, row.supply_v, below.supply_v
        if above_j is None or below_j is None or above_v is None or below_v is None:
            continue
        predicted = around(below_j * 1e6 * (above_v / below_v) ** 2, SUPPLY_SPREAD)
        note = f"energy on {low} times ({above_v} V / {below_v} V)^2"
        measured = above_j * 1e6
        yield _row(row, ("energy", "uJ", predicted, measured), "held out", f"{row.chip} at another supply", note)


def _held_out(one: HeldOut, spread: float, how: str, note: str) -> ValidationRow:
    """Return a row's energy, or its latency where an energy is not known."""
    row = one.row
    if one.log_energy is None or one.predicted_j is None or row.energy_j is None:
        measured = row.latency_s * 1e3
        predicted = around(measured * math.exp(one.log_cycles), spread)
        return _row(row, ("latency", "ms", predicted, measured), "held out", how, note)
    predicted = around(one.predicted_j * 1e6, spread)
    return _row(row, ("energy", "uJ", predicted, row.energy_j * 1e6), "held out", how, note)


def _row(
    row: BoardRow, figures: tuple[str, str, Band, float], role: Role, how: str, note: str
) -> ValidationRow:
    """Return a row from its quantity, unit, predicted band and measured figure."""
    network = f"{row.network} ({row.variant})" if row.variant else row.network
    identity = f"{how}: {row.software}, {row.board}/{row.chip}/{network}"
    machine = f"{row.board} ({row.chip}), {row.software}"
    return ValidationRow(identity, network, machine, *figures, role, row.source, note)


def _chips() -> Iterable[ValidationRow]:
    """Return the rows of single publications, each priced by a profile, some at another clock, power or software."""
    path = files("energy_models.data") / "validation" / "chips.csv"
    for record in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        profile = _at_point(load_profile(record["machine"]), record)
        yield ValidationRow(
            record["id"], record["what"], _machine(record), record["quantity"], record["unit"],
            _predict(profile, record), float(record["measured"]), cast(Role, record["role"]), record["source"],
            record["note"],
        )


def _machine(record: Mapping[str, str]) -> str:
    """Return the chip that was measured: the middle of the id."""
    return record["id"].split("/")[1]


def _predict(profile: HardwareProfile, record: Mapping[str, str]) -> Band:
    factor = 1.0 / find_unit(record["unit"]).factor
    if record["quantity"] == "power":
        return profile.bands["execution.active_power"].times(factor)
    macs: dict[ProductKind, int] = {
        kind: int(record[f"{kind}_macs"]) for kind in PRODUCT_KINDS if record.get(f"{kind}_macs")
    }
    report = estimate(bulk_network(record["what"], macs, int(record["layers"])), profile, None, decode_rate_hz=1e-6)
    found = {
        "energy": report.decode_energy_j, "cycles": report.cycles,
        "latency": report.cycles.times(1.0 / profile.clock.band.nominal),
    }[record["quantity"]].times(factor)
    low, nominal, high = (float(record[f"cycle_factor{end}"] or 1.0) for end in ("_low", "", "_high"))
    return Band(found.low * low, found.nominal * nominal, found.high * high)


def _at_point(profile: HardwareProfile, record: Mapping[str, str]) -> HardwareProfile:
    """Return a profile at the row's clock and power, where it states them."""
    table: dict[str, Any] = profile.model_dump(mode="json", exclude_none=True)
    if record["clock_mhz"]:
        clock = float(record["clock_mhz"])
        table["clock"] |= {"value": clock, "low": clock, "high": clock, "unit": "MHz"}
    if record["power_mw"]:
        columns = {"low": "power_low_mw", "value": "power_mw", "high": "power_high_mw"}
        ends = {end: float(record[column]) for end, column in columns.items()}
        table["execution"]["active_power"] |= {**ends, "unit": "mW"}
    return parse_model(table, HardwareProfile, where=record["id"])
