"""Boards and clusters: every measured row beside what a shipped profile, or a calibration without that row, predicts.

Held-out rows of microcontrollers are predicted from each one other network of the same board and software, those of
other boards from all; layer weights come from other chips. Where a row, or what it is predicted from, has no energy,
its latency is predicted. Their band is the factor either way that holds 90 % of the held-out rows of the *other* chips
whose library was measured, or not, as the row's. Where a class has one chip with several rows, that is too few: the
band is that of its other networks, or of the microcontrollers if wider. Rows that a profile prices have the bounds of
its cycles and its power, which err apart.
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
    used_beyond,
)
from energy_models.calibration.crossval import COVERED
from energy_models.hardware import HardwareProfile, load_profile
from energy_models.pricing import estimate
from energy_models.quantities import Band, find_unit, parse_model
from energy_models.validation.networks import bulk_network
from energy_models.validation.rows import Role, ValidationRow
from energy_models.workload import ProductKind, Workload

NEWEST = "STMicroelectronics v1.2"
PROFILE_OF: Mapping[tuple[str, str], str] = {
    ("NUCLEO_L4R5ZI", NEWEST): "cortex_m4f",
    ("NUCLEO_U575ZI_Q", NEWEST): "cortex_m33_u575",
    ("NUCLEO_H7A3ZI_Q", NEWEST): "cortex_m7_h7a3",
    ("syntiant_9120_0v9_30mhz", "syntiant v1.0"): "ndp120",
    ("gap9_650_240", "greenwaves-technologies v1.0"): "gap9",
    ("nRF54LM20B", "Nordic data sheet"): "nrf54lm20b_axon",
    ("NUCLEO_U3C5ZIT6_Q", "STMicroelectronics v1.3"): "cortex_m33_u3c5",
}
"""The board and software that each shipped profile was calibrated on."""
SUPPLY_SPREAD = 1.25
"""Factor either way for energy taken to another supply by its square: leakage and the rails that do not move."""
SUPPLIES_V = (1.8, 3.0)
"""What microcontrollers of the tables are fed with, where a row does not say which."""
DECODES_PER_S = 1e-6
"""So slow that nothing but one decode counts."""
BEYOND = "beyond "
"""Beginning of the ids of rows that a profile prices beyond its chip, its library or its supply."""


@cache
def board_rows() -> tuple[ValidationRow, ...]:
    """Return every measured row of boards and clusters with its prediction."""
    return (
        *(row for name in ("cortex_m", "tinymaix", "ndp", "axon", "pulp") for row in _calibrated(name)),
        *(row for name in ("cortex_m", "ndp", "axon", "gap9") for row in _fitted(name)),
        *_other_supply("gap9", "gap9_650_240", "gap9_800_370"),
        *_other_supply("ndp", "syntiant_9120_0v9_30mhz", "syntiant_9120_1v1_98mhz"), *_chips(), *_other_library(),
    )


def _calibrated(device_class: str) -> Iterable[ValidationRow]:
    """Return each row as predicted from other networks of its board, with weights of other chips."""
    check = microcontroller_check() if device_class == "cortex_m" else leave_one_out(shipped_rows(device_class))
    for one in check.held_out:
        networks = ", ".join(dict.fromkeys(one.calibrated_on))
        library = "" if one.library == "measured" else f"; library {one.row.kernels} on no other chip of such a core"
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
            energy = _energy_uj(load_profile(name), row)
            yield _row(row, ("energy", "uJ", energy, row.energy_j * 1e6), "fitted", name, note)


def _other_library() -> Iterable[ValidationRow]:
    """Return energies of chips with a profile, of other boards or libraries than it was calibrated on."""
    profiles = {row.chip: PROFILE_OF[row.group] for row in shipped_rows("cortex_m") if row.group in PROFILE_OF}
    for row in shipped_rows("cortex_m"):
        if row.group in PROFILE_OF or row.chip not in profiles or row.energy_j is None:
            continue
        profile = load_profile(profiles[row.chip])
        own = {one.kernels for one in shipped_rows("cortex_m") if PROFILE_OF.get(one.group) == profile.name}
        used = used_beyond(
            profile, library="profile" if row.kernels in own else "other",
            supplies_v=SUPPLIES_V if row.supply_v is None else (row.supply_v,), regulator=row.regulator,
            without_chip=row.chip,
        )
        predicted = _energy_uj(used, row)
        supply = "an unknown supply" if row.supply_v is None else f"{row.supply_v:g} V"
        note = f"profile {profile.name} with {row.kernels}, at {supply}"
        figures = ("energy", "uJ", predicted, row.energy_j * 1e6)
        yield _row(row, figures, "held out", f"{BEYOND}{profile.name}", note)


def _energy_uj(profile: HardwareProfile, row: BoardRow) -> Band:
    return _energy_j(bulk_network(row.network, row.macs, row.layers), profile, Band(1.0, 1.0, 1.0)).times(1e6)


def _energy_j(work: Workload, profile: HardwareProfile, factor: Band) -> Band:
    """Return the energy of one decode [J]: cycles, all kinds of which err together, times power, which errs apart.

    Logarithms of the bounds of cycles, of their factor and of power add up as squares do.
    """
    report = estimate(work, profile, None, decode_rate_hz=DECODES_PER_S)
    parts = (report.cycles, factor, profile.bands["execution.active_power"])
    nominal = report.decode_energy_j.nominal * factor.nominal
    down = math.hypot(*(math.log(part.nominal / part.low) for part in parts))
    up = math.hypot(*(math.log(part.high / part.nominal) for part in parts))
    return Band(nominal * math.exp(-down), nominal, nominal * math.exp(up))


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
        how = f"{BEYOND}{row.chip} at another supply"
        yield _row(row, ("energy", "uJ", predicted, measured), "held out", how, note)


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
        if record["id"].startswith(BEYOND) and not record["cycle_factor"]:
            profile = used_beyond(profile, library="other")
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
    work = bulk_network(record["what"], macs, int(record["layers"]))
    ends = {end: float(record[f"cycle_factor{end}"] or 1.0) for end in ("_low", "", "_high")}
    own = Band(ends["_low"], ends[""], ends["_high"])
    if record["quantity"] == "energy":
        return _energy_j(work, profile, own).times(factor)
    cycles = estimate(work, profile, None, decode_rate_hz=DECODES_PER_S).cycles
    found = cycles.times(factor if record["quantity"] == "cycles" else factor / profile.clock.band.nominal)
    return Band(found.low * own.low, found.nominal * own.nominal, found.high * own.high)


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
