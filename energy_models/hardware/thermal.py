"""From power to temperature rise in perfused tissue, and from package to surface area."""

from __future__ import annotations

import math

from energy_models.errors import ProfileError

SPHERE_AREA_FACTOR = 4.0 * math.pi  # area of a sphere = 4 pi a^2


def box_surface_m2(length_m: float, width_m: float, thickness_m: float) -> float:
    """Return the outer surface of a rectangular box, all six faces [m^2]."""
    return 2.0 * (length_m * width_m + length_m * thickness_m + width_m * thickness_m)


def equal_area_radius_m(surface_m2: float) -> float:
    """Return the radius of the sphere that has this surface [m]."""
    return math.sqrt(surface_m2 / SPHERE_AREA_FACTOR)


def perfusion_length_m(conductivity_w_mk: float, perfusion_hz: float, blood_heat_j_m3k: float) -> float:
    """Return the depth over which blood flow carries heat away [m].

    ``delta = sqrt(k / (w rho_b c_b))``, the decay length of the Pennes bioheat equation; infinite without perfusion.

    Parameters
    ----------
    conductivity_w_mk : float
        Thermal conductivity of tissue, k [W/(m K)].
    perfusion_hz : float
        Blood volume per tissue volume and second, w [1/s].
    blood_heat_j_m3k : float
        Volumetric heat capacity of blood, rho_b c_b [J/(m^3 K)].
    """
    carried = perfusion_hz * blood_heat_j_m3k
    return math.sqrt(conductivity_w_mk / carried) if carried > 0 else math.inf


def pennes_sphere_rise_k_per_w(radius_m: float, conductivity_w_mk: float, perfusion_length: float) -> float:
    """Return the steady rise at the surface of a heated sphere in perfused tissue, per watt [K/W].

    ``dT / P = 1 / (4 pi k a (1 + a / delta))``: the radially symmetric steady solution of the Pennes bioheat
    equation outside a sphere of radius a that gives off P uniformly. Skull, fluid and fat are not in it.

    Parameters
    ----------
    radius_m : float
        Radius of the sphere, a [m].
    conductivity_w_mk : float
        Thermal conductivity of tissue, k [W/(m K)].
    perfusion_length : float
        Decay length delta [m], see `perfusion_length_m`; infinite: ``1 / (4 pi k a)``, conduction alone.

    Raises
    ------
    ProfileError
        A radius, conductivity or decay length that is not above zero: no such body gives off heat.

    References
    ----------
    H. H. Pennes, J. Appl. Physiol. 1(2), 1948, for the equation; the sphere is its standard closed form.
    """
    if not min(radius_m, conductivity_w_mk, perfusion_length) > 0:
        raise ProfileError(
            f"a sphere of radius {radius_m:g} m in tissue of {conductivity_w_mk:g} W/(m K), decay length "
            f"{perfusion_length:g} m", where="package and tissue", remedy="Give an area and a conductivity above zero",
        )
    return 1.0 / (SPHERE_AREA_FACTOR * conductivity_w_mk * radius_m * (1.0 + radius_m / perfusion_length))
