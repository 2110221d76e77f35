"""Totals of whole devices against the sum of what other sources know of their parts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from zlib import crc32

import numpy as np
from pydantic import Field

from energy_models.analysis import quantity_draws, spread
from energy_models.errors import ProfileError
from energy_models.hardware import Absent, Site, load_site
from energy_models.pricing import (
    SITE,
    Array,
    Cause,
    Decisions,
    evaluate,
    regulator_loss_w,
    regulator_paths,
    site_terms,
    with_made,
)
from energy_models.quantities import Band, Channels, Frequency, Frozen, Power, Quantity, find_unit, read_model
from energy_models.validation.groups import RowKind
from energy_models.validation.rows import Role, ValidationRow

DRAWS = 4096


class System(Frozen):
    """A published total and the parts of its sum.

    Parameters
    ----------
    id, what, machine : str
        As in `ValidationRow`.
    site : str
        Whose constants stand for the parts around the decoder.
    causes : tuple of Cause
        Which of these parts the total contains.
    channels, decisions : Quantity
        How many are recorded, and how often is decided.
    decoder : Quantity or None
        Average power of the decoder, where a source gives it.
    role : {'fitted', 'held out'}
        ``fitted``: a part of the sum is of the same source as the total, or was chosen after it.
    built : mapping of str to Quantity
        Constants of this device that stand in place of the site's, by dotted path: its front end as built, the share of
        the time in which its controller runs.
    measured : Quantity
        The published total.
    unknown : str
        What is in the total but in no source.
    """

    id: str
    what: str
    machine: str
    site: str
    causes: tuple[Cause, ...]
    channels: Channels
    decisions: Frequency
    decoder: Power | None = None
    role: Role = "held out"
    built: Mapping[str, Quantity] = Field(default_factory=dict[str, Quantity])
    measured: Power
    unknown: str = Field(min_length=1)


class Systems(Frozen):
    """The file of systems."""

    systems: tuple[System, ...]


@cache
def load_systems() -> tuple[System, ...]:
    """Return every shipped system.

    Raises
    ------
    ProfileError
        When the file has problems; all of them are listed.
    """
    path = Path(str(files("energy_models.data"))) / "validation" / "systems.toml"
    return read_model(path, Systems).systems


def system_rows() -> tuple[ValidationRow, ...]:
    """Return every system with its sum; a part that no source gives is not in it, and the note names it."""
    return tuple(
        ValidationRow(
            id=system.id, what=system.what, machine=system.machine, quantity="power", unit=system.measured.unit,
            predicted=predicted_w(system).times(1.0 / find_unit(system.measured.unit).factor),
            measured=system.measured.value, role=system.role, source=system.measured.source,
            note=f"Not in the sum: {system.unknown}",
        )
        for system in load_systems()
    )


def kind_of_system(row: ValidationRow) -> RowKind:
    """Return the kind of a system's row."""
    return "system"


def predicted_w(system: System) -> Band:
    """Return the sum of a system's known parts at nominal constants, with its central 90 % [W]."""
    site = load_site(system.site)
    given = {f"{SITE}{path}": quantity for path, quantity in site.quantity_at.items()}
    unknown = sorted(set(system.built) - set(site.quantity_at))
    if unknown:
        remedy = f"Its constants are: {', '.join(site.quantity_at)}"
        raise ProfileError(f"site {site.name} has no {', '.join(unknown)}", where=system.id, remedy=remedy)
    given |= {f"{SITE}{path}": quantity for path, quantity in system.built.items()}
    own = {"channels": system.channels, "decisions": system.decisions}
    if system.decoder is not None:
        own["decoder"] = system.decoder
    nominal = _sum_w(system, site, {path: np.full(1, q.band.nominal) for path, q in (given | own).items()})
    drawn = _sum_w(system, site, {path: _draws(f"{system.site}:{path}", q) for path, q in (given | own).items()})
    low, _, high = spread(drawn)
    middle = float(nominal[0])
    return Band(min(low, middle), middle, max(high, middle))


def _draws(key: str, quantity: Quantity) -> Array:
    """Return draws of one constant, its own by name, so that another constant in the file moves none of the rest."""
    return quantity_draws(quantity, np.random.default_rng(crc32(key.encode())).standard_normal(DRAWS))


def _sum_w(system: System, site: Site, values: dict[str, Array]) -> Array:
    """Return the sum of the parts [W], shape of the values."""
    zeros = np.zeros(len(values["channels"]))
    per_channel = site_terms(site, 1, Decisions(0.0))
    per_decision = site_terms(site, 0, Decisions(1.0))
    constants = with_made(values)
    power = zeros + values.get("decoder", zeros)
    if "front_end" in system.causes:
        power = power + values["channels"] * evaluate(per_channel["front_end"], constants, zeros)
    if "controller" in system.causes:
        power = power + evaluate(per_channel["controller"], constants, zeros)
    if "radio" in system.causes:
        upkeep = evaluate(per_channel["radio"], constants, zeros)
        power = power + upkeep + values["decisions"] * (evaluate(per_decision["radio"], constants, zeros) - upkeep)
    if "regulator" in system.causes and not isinstance(site.regulator, Absent):
        needed = {path: constants[path] for path in regulator_paths(site.regulator)}
        power = power + regulator_loss_w(site.regulator, power, needed)
    return power
