"""A site some of whose electrodes are dead: the front end and the converter of their channels are switched off."""

from __future__ import annotations

from energy_models.errors import ProfileError
from energy_models.hardware.site import Site
from energy_models.quantities import Quantity, find_unit, parse_model, with_quantities

PER_CHANNEL = "_per_channel"
"""End of the dimensions of what each channel draws."""
PER_CONVERSION = "energy_per_step"
"""Dimension of what a converter draws, of which each channel has its own samples."""


def with_lost_electrodes(site: Site, lost: int, *, of: int) -> Site:
    """Return the site with what its channels draw, on average over all of them, when some are off.

    A device charged for `of` channels then draws what the live ones do. Constants keep their sources and bounds.

    Parameters
    ----------
    site : Site
    lost, of : int
        Channels that are off, and channels in all.

    Raises
    ------
    ProfileError
        Fewer than none, or not less than all.
    """
    if not 0 <= lost < of:
        raise ProfileError(f"{lost} of {of} electrodes lost", where=site.name, remedy=f"Give 0 to {of - 1}")
    if not lost:
        return site
    share = (of - lost) / of

    def change(_path: str, quantity: Quantity) -> Quantity:
        dimension = find_unit(quantity.unit).dimension
        if not dimension.endswith(PER_CHANNEL) and dimension != PER_CONVERSION:
            return quantity
        low, value, high = (share * end for end in (quantity.low, quantity.value, quantity.high))
        return quantity.model_copy(update={"low": low, "value": value, "high": high})

    return parse_model(with_quantities(site, change), Site, where=site.name)
