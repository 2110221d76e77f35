"""A machine and a site with some constants set by the caller: ``profile.static``, ``site.front_end.power``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TypeVar

from energy_models.errors import ProfileError
from energy_models.hardware.profile import HardwareProfile
from energy_models.hardware.site import Site
from energy_models.quantities import Quantity, amount_si, find_unit, parse_model, si_unit, with_quantities

PROFILE, SITE = "profile.", "site."
Model = TypeVar("Model", HardwareProfile, Site)
_SHOWN = 8


def with_constants(
    profile: HardwareProfile, site: Site | None, values: Mapping[str, object]
) -> tuple[HardwareProfile, Site | None]:
    """Return the machine and the site with some constants at exact values; the others stay as they are.

    What was set is marked ``assumed``, a design choice, with the value it had in its note.

    Parameters
    ----------
    profile : HardwareProfile
    site : Site or None
    values : mapping of str to float or str
        By path: those of the machine after ``profile.``, those of the site after ``site.``, each as `quantity_at` has
        it. Numbers in SI, or texts with a unit.

    Raises
    ------
    ProfileError
        A path that names no constant here (near ones are listed), or values that contradict each other.
    UnitError
        A unit of another dimension, or no amount.
    """
    known = constant_units(profile, site)
    for path in values:
        if path not in known:
            raise _unknown(path, known, site)
    return _changed(profile, PROFILE, values), None if site is None else _changed(site, SITE, values)


def with_power_budget(site: Site | None, power_w: float) -> Site:
    """Return a site whose device may draw so much and no more, beside its other limits.

    Parameters
    ----------
    site : Site or None
    power_w : float
        Of the whole device [W].

    Raises
    ------
    ProfileError
        No site, or no power above zero.
    """
    where = "power budget"
    if site is None:
        raise ProfileError(
            "of what? It is the whole device's, and there is no site", where=where,
            remedy="Name a site: it says what draws power beside the decoder",
        )
    if not power_w > 0:
        raise ProfileError(f"{power_w:g} W", where=where, remedy="Give a power above zero, such as 1mW")
    budget = Quantity(
        value=power_w, low=power_w, high=power_w, unit=si_unit("power"), basis="assumed", source="design_choice",
        where=where, note="set by the caller",
    )
    omitted = {name: reason for name, reason in site.omitted.items() if name != "power_budget"}
    return parse_model(site.model_copy(update={"power_budget": budget, "omitted": omitted}).model_dump(), Site,
                       where=site.name)  # fmt: skip


def constant_units(profile: HardwareProfile, site: Site | None) -> dict[str, str]:
    """Return every constant that can be set, by path, with the unit its value has in SI."""
    found = {f"{PROFILE}{path}": _unit(quantity) for path, quantity in profile.quantity_at.items()}
    if site is not None:
        found |= {f"{SITE}{path}": _unit(quantity) for path, quantity in site.quantity_at.items()}
    return found


def _unit(quantity: Quantity) -> str:
    return si_unit(find_unit(quantity.unit).dimension)


def _unknown(path: str, known: Mapping[str, str], site: Site | None) -> ProfileError:
    if site is None and path.startswith(SITE):
        return ProfileError("a constant of a site, where none is given", where=path, remedy="Name a site")
    near = difflib.get_close_matches(path, known, n=_SHOWN, cutoff=0.5)
    near += [name for name in known if name.endswith(path) or path.endswith(name.partition(".")[2])]
    hint = f"Did you mean {', '.join(dict.fromkeys(near))}? " if near else ""
    return ProfileError(
        "no constant of this machine and site", where=path,
        remedy=f"{hint}Paths begin with {PROFILE} or {SITE}; cosim profiles NAME and cosim sites NAME list them",
    )


def _changed(model: Model, prefix: str, values: Mapping[str, object]) -> Model:
    """Return a machine or a site with those of the values set that are its own."""
    wanted = {path.removeprefix(prefix): value for path, value in values.items() if path.startswith(prefix)}
    if not wanted:
        return model

    def change(path: str, quantity: Quantity) -> Quantity:
        return _set(quantity, wanted[path], f"{prefix}{path}") if path in wanted else quantity

    return parse_model(with_quantities(model, change), type(model), where=model.name)


def _set(quantity: Quantity, value: object, where: str) -> Quantity:
    dimension = find_unit(quantity.unit).dimension
    unit = si_unit(dimension)
    amount = amount_si(value, dimension, where=where) / find_unit(unit).factor
    return Quantity(
        value=amount, low=amount, high=amount, unit=unit, basis="assumed", source="design_choice", where=where,
        note=f"set by the caller, was {quantity.value:g} {quantity.unit}",
    )
