"""Columns of a feasibility study: power by cause, every limit's verdict, raw streaming, the battery.

What is not known is no number: empty where a part is not charged, ``not checked`` where a limit has no figure to be
held against, ``not compared`` where raw streaming is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cosim.evaluation.feasibility import Verdict
from cosim.tables.readable import BETWEEN, CANNOT_RUN
from energy_models.analysis import Cheaper, StreamingComparison
from energy_models.feasibility import CHECK_NAMES, RecalibrationCost
from energy_models.hardware import Absent, Site
from energy_models.pricing import CAUSES, OUTSIDE_DECODER, Cause, EnergyReport
from energy_models.quantities import Band

NOT_CHECKED, NO_LIMIT, NOT_COMPARED = "not checked", "no limit", "not compared"
LIMIT = "limit_"
ENDS: Mapping[str, str] = {"low": "_low", "nominal": "", "high": "_high"}
UNKNOWN = Band(math.nan, math.nan, math.nan)
ANSWERS: Mapping[Cheaper, str] = {
    "decoding": "decoding cheaper", "streaming": "streaming cheaper", "undecided": "undecided",
}
Cells = dict[str, object]


def band_cells(name: str, unit: str, band: Band) -> Cells:
    """Return three columns: ``<name>_low_<unit>``, ``<name>_<unit>``, ``<name>_high_<unit>``."""
    return {f"{name}{end}_{unit}": getattr(band, which) for which, end in ENDS.items()}


def uncharged_causes(report: EnergyReport, site: Site | None) -> frozenset[Cause]:
    """Return the causes that a report cannot say: parts of the device that the site leaves out, or has no figure of."""
    if site is None:
        return OUTSIDE_DECODER
    parts: dict[Cause, object] = {
        "front_end": site.front_end, "converter": site.converter, "regulator": site.regulator,
        "stimulation": site.stimulation, "radio": None if site.link is None else site.radio,
    }
    found: set[Cause] = {cause for cause, model in parts.items() if isinstance(model, Absent)}
    if site.gathered_by == "machine" and any("gather" in line for line in report.unaccounted):
        found.add("controller")
    return frozenset(found)


def cause_cells(report: EnergyReport, site: Site | None) -> Cells:
    """Return the device's average power by cause with its bounds [W], empty where it is not known or cannot run."""
    unknown = set(CAUSES) if report.infeasibilities else uncharged_causes(report, site)
    cells: Cells = {}
    for cause in CAUSES:
        cells |= band_cells(f"{cause}_power", "w", UNKNOWN if cause in unknown else report.power_w[cause])
    return cells


def limit_cells(report: EnergyReport, verdict: Verdict | None) -> Cells:
    """Return the verdict and the headroom of every limit that a site may have.

    ``no limit`` where the site has none of it, ``not checked`` where it cannot be held against the machine.
    """
    checks = {} if verdict is None or report.infeasibilities else {check.name: check for check in verdict.checks}
    named: list[str] = [] if verdict is None else [
        *(check.name for check in verdict.checks), *(line.partition(" ")[0] for line in verdict.unchecked)
    ]
    cells: Cells = {}
    for name in CHECK_NAMES:
        known = checks.get(name)
        absent = NOT_CHECKED if name in named else NO_LIMIT
        cells[f"{LIMIT}{name}"] = absent if known is None else known.verdict
        cells[f"{LIMIT}{name}_headroom"] = math.nan if known is None else known.headroom
    return cells


def allowed_cells(verdict: Verdict | None, power_w: Band, average_w: Band | None) -> Cells:
    """Return the most that the device may draw by its limits on power, nominal [W], and the limit that says so.

    Parameters
    ----------
    verdict : Verdict or None
    power_w : Band
        What the device draws while it is on [W].
    average_w : Band or None
        Its mean power where it is not always on [W]: a battery then limits that alone.
    """
    found: list[tuple[float, str]] = []
    for check in () if verdict is None else verdict.checks:
        if check.spare_w is not None and (average_w is None or check.name != "battery"):
            found.append((power_w.nominal + check.spare_w.nominal, check.name))
    allowed, name = min(found, default=(math.nan, NO_LIMIT))
    return {"power_allowed_w": allowed, "power_allowed_by": name}


def streaming_cells(found: StreamingComparison | None) -> Cells:
    """Return the device that sends every sample beside the one that decodes; None: they cannot be compared."""
    if found is None:
        return {
            "streaming": NOT_COMPARED, "raw_link": NOT_COMPARED, "raw_rate_bit_s": math.nan,
            **band_cells("raw_power", "w", UNKNOWN), **band_cells("decoding_saves", "w", UNKNOWN),
            "break_even_j_per_bit": math.nan,
        }
    even = found.break_even_j_per_bit
    return {
        "streaming": ANSWERS[found.cheaper],
        "raw_link": found.raw.link, "raw_rate_bit_s": found.raw.rate_bit_s.nominal,
        **band_cells("raw_power", "w", found.raw.total_power_w), **band_cells("decoding_saves", "w", found.saved_w),
        "break_even_j_per_bit": math.nan if even is None else even,
    }


def recalibration_cells(found: RecalibrationCost, added_w: Band | None, interval_s: float | None) -> Cells:
    """Return what one recalibration costs, its share of the time, what keeps its memory, and the mean power [W].

    Energy and time are empty where the machine has no room; where some of the work has no price they are lower bounds,
    which ``recalibration`` says, and the added power is empty.
    """
    known = UNKNOWN if found.infeasibilities else found.energy_j
    reasons = found.infeasibilities or found.unaccounted
    state = CANNOT_RUN if found.infeasibilities else "at least: no price for some of it" if reasons else "fits"
    return {
        "recalibration": state, "recalibration_reasons": BETWEEN.join(reasons),
        **band_cells("recalibration_energy", "j", known),
        **band_cells("recalibration_time", "s", UNKNOWN if found.infeasibilities else found.time_s),
        "recalibration_time_share": math.nan if interval_s is None else found.time_s.nominal / interval_s,
        **band_cells("recalibration_kept_power", "w", UNKNOWN if found.infeasibilities else found.kept_w),
        "recalibration_memory_bits": found.memory_bits, "recalibration_learned": found.learned,
        **band_cells("recalibration_power", "w", added_w or UNKNOWN),
    }


def battery_cells(site: Site | None, life_s: Band | None, charge_cycles: int | None) -> Cells:
    """Return how long one charge lasts and has to last [s], and the cell where its number of charges is known."""
    required = math.nan if site is None or site.battery is None else site.battery.lifetime.band.nominal
    cells = {**band_cells("charge_lasts", "s", life_s or UNKNOWN), "charge_required_s": required}
    if charge_cycles is None:
        return cells
    return {**cells, **band_cells("cell_lasts", "s", UNKNOWN if life_s is None else life_s.times(charge_cycles))}


def plain_cell(value: Any) -> Any:
    """Return a cell as JSON has it: numbers of Python, and none where there is no finite one."""
    found = value.item() if hasattr(value, "item") else value
    return None if isinstance(found, float) and not math.isfinite(found) else found
