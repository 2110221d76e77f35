"""What a sweep varies: rates, constants of machine and site, assumed widths; every combination of their values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import cast

from cosim.api.arguments import listed, rate_of
from energy_models.errors import StudyError, unknown_name
from energy_models.hardware import HardwareProfile, Site, constant_units, with_constants
from energy_models.workload import MOST_BITS, Workload, at_widths

RATE, WEIGHTS, ACTIVATIONS = "decode_rate_hz", "weight_bits", "activation_bits"
CHANNELS, BITS = "channels", "bits"
OWN = (RATE, WEIGHTS, ACTIVATIONS, CHANNELS, BITS)
CONSTANTS = ("profile.", "site.")
AS_COUNTED = "as counted"


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One combination: decisions per second [Hz], widths [bits], channels, and constants by path.

    Widths and channels are None where the network keeps its own; it is built again with `channels` and `bits`.
    """

    decode_rate_hz: float
    weight_bits: int | None
    activation_bits: int | None
    constants: Mapping[str, object]
    channels: int | None = None
    bits: int | None = None

    def workload(self, counted: Workload) -> Workload:
        """Return the workload at the assumed widths; one width alone stands for both."""
        weights, activations = self.weight_bits, self.activation_bits
        if weights is None and activations is None:
            return counted
        weights = activations if weights is None else weights
        activations = weights if activations is None else activations
        return at_widths(counted, weight_bits=weights or 0, activation_bits=activations or 0)

    def place(self, profile: HardwareProfile, site: Site | None) -> tuple[HardwareProfile, Site | None]:
        """Return the machine and the site with this point's constants."""
        return with_constants(profile, site, self.constants)

    def cells(self, profile: HardwareProfile, site: Site | None) -> dict[str, object]:
        """Return the point's columns, of a place that has its constants: in SI, the unit in the column's name."""
        units = constant_units(profile, site) if self.constants else {}
        values = {f"profile.{path}": band.nominal for path, band in profile.bands.items()} if units else {}
        if units and site is not None:
            values |= {f"site.{path}": band.nominal for path, band in site.bands.items()}
        return {RATE: self.decode_rate_hz, **{f"{path} [{units[path]}]": values[path] for path in self.constants}}


def grid_points(over: Mapping[str, object] | None, decode_rate_hz: float | str | None) -> list[GridPoint]:
    """Return every combination of the values that a sweep goes over.

    Parameters
    ----------
    over : mapping of str to list, or None
        ``decode_rate_hz``, ``weight_bits``, ``activation_bits``, ``channels``, ``bits``, or a constant's path after
        ``profile.`` or ``site.``;
        values in SI or texts with a unit.
    decode_rate_hz : float, str or None
        The rate where `over` has none [Hz].

    Raises
    ------
    CosimError
        An unknown name, no rate or two of them, a rate or a width that is none.
    """
    axes: dict[str, list[object]] = {}
    for name, values in _table(over).items():
        if name not in OWN and not name.startswith(CONSTANTS):
            raise StudyError(
                f"nothing is called {name!r}", where="over",
                remedy=f"{unknown_name('names', name, OWN)}, or a constant such as profile.static or "
                "site.front_end.power",
            )
        axes[name] = listed(values, where=f"over, {name}", what="values")
    if (RATE in axes) == (decode_rate_hz is not None):
        raise StudyError(
            "the decode rate is given twice" if RATE in axes else "how often is a decision asked for?",
            where=RATE, remedy="Give decode_rate_hz=..., in hertz, or a list of rates in over, one of the two",
        )
    axes.setdefault(RATE, [decode_rate_hz])
    return list(_combinations(axes))


def _table(over: object) -> Mapping[str, object]:
    if over is None:
        return {}
    table = cast("Mapping[object, object]", over) if isinstance(over, Mapping) else {0: over}
    if not all(isinstance(name, str) for name in table):
        raise StudyError(
            f"{over!r:.60} is no table of lists", where="over", remedy='Give one such as {"decode_rate_hz": [1, 4]}'
        )
    return cast("Mapping[str, object]", table)


def _combinations(axes: Mapping[str, list[object]]) -> Iterator[GridPoint]:
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        yield GridPoint(
            rate_of(chosen[RATE], where=RATE),  # pyright: ignore[reportArgumentType]  (checked there)
            _whole(chosen.get(WEIGHTS), WEIGHTS),
            _whole(chosen.get(ACTIVATIONS), ACTIVATIONS),
            {path: value for path, value in chosen.items() if path not in OWN},
            _whole(chosen.get(CHANNELS), CHANNELS),
            _whole(chosen.get(BITS), BITS),
        )


def _whole(value: object, name: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Integral):
        what = "number of channels" if name == CHANNELS else "width"
        raise StudyError(f"{value!r} is no {what}", where=f"over, {name}", remedy="Give whole numbers")
    if name != CHANNELS and not 1 <= int(value) <= MOST_BITS:
        raise StudyError(f"a width of {value} bits", where=f"over, {name}", remedy=f"Give 1 to {MOST_BITS}")
    return int(value)
