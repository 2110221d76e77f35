"""Boards and clusters: every measured row beside what a shipped profile, or a calibration without that row, predicts.

Held-out rows of microcontrollers are predicted from each one other network of the same board and software, those of
other boards from all; layer weights come from other chips. Their band is the factor either way that holds 90 % of the
held-out rows of the *other* chips. Where a class has one chip with several rows, that is too few: the band is that of
its other networks, or of the microcontrollers if wider. Rows that a profile prices have the profile's own bounds.
"""

from __future__ import annotations

import csv
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
    from_one_network,
    leave_one_out,
    shipped_rows,
)
from energy_models.hardware import HardwareProfile, load_profile
from energy_models.pricing import estimate
from energy_models.quantities import Band, find_unit, parse_model
from energy_models.validation.networks import bulk_network
from energy_models.validation.rows import Role, ValidationRow
from energy_models.workload import Kind

NEWEST = "STMicroelectronics v1.2"
PROFILE_OF: Mapping[tuple[str, str], str] = {
    ("NUCLEO_L4R5ZI", NEWEST): "cortex_m4f",
    ("NUCLEO_U575ZI_Q", NEWEST): "cortex_m33_u575",
    ("NUCLEO_H7A3ZI_Q", NEWEST): "cortex_m7_h7a3",
    ("syntiant_9120_0v9_30mhz", "syntiant v1.0"): "ndp120",
}
"""The board and software that each shipped profile was calibrated on."""
SUPPLY_V: Mapping[str, float] = {
    "gap9_650_240": 0.65, "gap9_800_370": 0.8, "syntiant_9120_0v9_30mhz": 0.9, "syntiant_9120_1v1_98mhz": 1.1,
}
SUPPLY_SPREAD = 1.25
"""Factor either way for energy taken to another supply by its square: leakage and the rails that do not move."""


@cache
def board_rows() -> tuple[ValidationRow, ...]:
    """Return every measured row of boards and clusters with its prediction."""
    return (
        *_calibrated("cortex_m"), *_calibrated("ndp"), *_calibrated("pulp"), *_fitted("cortex_m"), *_fitted("ndp"),
        *_fitted_gap9(), *_other_supply("gap9", "gap9_650_240", "gap9_800_370"),
        *_other_supply("ndp", "syntiant_9120_0v9_30mhz", "syntiant_9120_1v1_98mhz"), *_chips(),
    )


def _calibrated(device_class: str) -> Iterable[ValidationRow]:
    """Return each row as predicted from other networks of its board, with weights of other chips."""
    check = _microcontrollers() if device_class == "cortex_m" else leave_one_out(shipped_rows(device_class))
    for one in check.held_out:
        networks = ", ".join(dict.fromkeys(one.calibrated_on))
        predicted = around(one.predicted_j * 1e6, _spread_without(check, one))
        note = f"calibrated on {networks} of the same board and software"
        yield _row(one.row, predicted, "held out", f"calibrated on {networks}", note)


def _spread_without(check: CrossValidation, one: HeldOut) -> float:
    """Return the factor either way that a row's own chip did not help to find."""
    chips = tuple(other for other in check.held_out if other.row.chip != one.row.chip)
    if chips:
        return CrossValidation(chips).spread("energy")
    networks = tuple(other for other in check.held_out if other.row.network != one.row.network)
    return max(CrossValidation(networks).spread("energy"), _microcontrollers().spread("energy"))


@cache
def _microcontrollers() -> CrossValidation:
    return from_one_network(shipped_rows("cortex_m"))


def _fitted(device_class: str) -> Iterable[ValidationRow]:
    for row in shipped_rows(device_class):
        if row.group in PROFILE_OF:
            name = PROFILE_OF[row.group]
            yield _row(row, _energy_uj(name, row), "fitted", name, f"profile {name}")


def _fitted_gap9() -> Iterable[ValidationRow]:
    for row in shipped_rows("gap9"):
        if row.board == "gap9_650_240":
            name = "gap9_ne16" if "conv" in row.macs else "gap9"
            yield _row(row, _energy_uj(name, row), "fitted", name, f"profile {name}")


def _energy_uj(name: str, row: BoardRow) -> Band:
    report = estimate(bulk_network(row.network, row.macs, row.layers), load_profile(name), None, decode_rate_hz=1.0)
    return report.decode_energy_j.times(1e6)


def _other_supply(device_class: str, low: str, high: str) -> Iterable[ValidationRow]:
    """Return rows at the high supply as the energy at the low one times the square of the supplies' ratio."""
    rows = {(row.board, row.network): row for row in shipped_rows(device_class)}
    for (board, network), row in rows.items():
        if board == high:
            energy = rows[low, network].energy_j * 1e6 * (SUPPLY_V[high] / SUPPLY_V[low]) ** 2
            note = f"energy on {low} times ({SUPPLY_V[high]} V / {SUPPLY_V[low]} V)^2"
            yield _row(row, around(energy, SUPPLY_SPREAD), "held out", f"{row.chip} at another supply", note)


def _row(row: BoardRow, predicted: Band, role: Role, how: str, note: str) -> ValidationRow:
    network = f"{row.network} ({row.variant})" if row.variant else row.network
    identity = f"{how}: {row.software}, {row.board}/{row.chip}/{network}"
    machine = f"{row.board} ({row.chip}), {row.software}"
    return ValidationRow(
        identity, network, machine, "energy", "uJ", predicted, row.energy_j * 1e6, role, row.source, note
    )


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
    macs: dict[Kind, int] = {kind: int(record[f"{kind}_macs"]) for kind in PRODUCT_KINDS if record.get(f"{kind}_macs")}
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
