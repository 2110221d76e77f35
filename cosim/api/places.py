"""A machine and a site with constants and a power budget set by the caller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from energy_models.errors import PriceError
from energy_models.hardware import HardwareProfile, Site, load_profile, load_site, with_constants, with_power_budget
from energy_models.quantities import amount_si

Machine = str | Path | HardwareProfile
Place = str | Path | Site


def placed(
    machine: Machine, site: Place | None, *, constants: Mapping[str, object] | None, budget: float | str | None,
    where: str,
) -> tuple[HardwareProfile, Site | None]:
    """Return a machine and a site with what the caller sets.

    Parameters
    ----------
    machine, site
        Names, paths of TOML files, or objects; no site: None.
    constants : mapping of str to float or str, or None
        By path after ``profile.`` or ``site.``, in SI or as texts with a unit.
    budget : float, str or None
        What the whole device may draw [W], or a text such as ``1 mW``.
    where : str
        Names the budget in messages.

    Raises
    ------
    CosimError
        An unknown name, path or unit, or a budget without a site.
    """
    if constants is not None and not isinstance(constants, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise PriceError(
            f"{constants!r:.60} is no table", where="constants",
            remedy='Give one such as {"site.front_end.power": "3 uW/channel"}',
        )
    profile, place = with_constants(load_profile(machine), None if site is None else load_site(site), constants or {})
    return profile, with_budget(place, budget, where=where)


def with_budget(site: Site | None, budget: float | str | None, *, where: str) -> Site | None:
    """Return a site with a power budget of the whole device; as it is where there is none.

    Raises
    ------
    CosimError
        Another unit, no power above zero, or no site.
    """
    return site if budget is None else with_power_budget(site, amount_si(budget, "power", where=where))
