"""What a change of node does to an energy, by class of circuit.

Between two anchor nodes the factor is the anchors' ratio to the power of the way gone. The Stillmaker-Baas energies at
0.8 V, inside the range of every polynomial, say how far on the way a node lies, and nothing else:

    factor(a to b) = product over legs of ratio ^ (way(b) - way(a)),    way(n) = ln s(n) between the leg's two ends

so that A to B to C equals A to C, and no step can point the wrong way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from energy_models.errors import ProfileError
from energy_models.quantities import Band
from energy_models.technology.scaling.technology import CircuitClass, Leg, Technology, load_technology

WHOLE = Band(1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class _Step:
    """A leg's logarithmic ratio as low, nominal, high."""

    coarse_nm: float
    fine_nm: float
    log_ratio: tuple[float, float, float]


def product(*factors: Band) -> Band:
    """Return the product of factors with its bounds."""
    return Band(
        math.prod(factor.low for factor in factors),
        math.prod(factor.nominal for factor in factors),
        math.prod(factor.high for factor in factors),
    )


def interpolated(value: float, points: Sequence[tuple[float, float]]) -> float:
    """Return y at a value of x, straight lines through ``(ln x, ln y)`` of the points, coarse to fine."""
    for (coarse, high), (fine, low) in pairwise(points):
        if fine <= value <= coarse:
            way = math.log(coarse / value) / math.log(coarse / fine)
            return math.exp(math.log(high) + way * math.log(low / high))
    raise ProfileError(f"{value:g} is outside {points[-1][0]:g} to {points[0][0]:g}", remedy="Stay inside the range")


def check_node(node_nm: float, technology: Technology, *, where: str) -> None:
    """Refuse a node outside the anchors.

    Raises
    ------
    ProfileError
        When the node is not a number between the finest and the coarsest anchor.
    """
    fine, coarse = technology.shape[-1].node_nm, technology.shape[0].node_nm
    if not fine <= node_nm <= coarse:
        remedy = f"Give a node from {fine:g} to {coarse:g} nm: beyond the anchors every law is a guess"
        raise ProfileError(f"node {node_nm:g} nm is outside {fine:g} to {coarse:g} nm", where=where, remedy=remedy)


def node_factor(kind: CircuitClass, from_nm: float, to_nm: float, technology: Technology | None = None) -> Band:
    """Return what an energy of a class of circuit becomes at another node, each node at its own nominal supply.

    Parameters
    ----------
    kind : CircuitClass
    from_nm, to_nm : float
        Nodes [nm].
    technology : Technology, optional
        The shipped constants if not given.

    Raises
    ------
    ProfileError
        When a node is outside the anchors.

    References
    ----------
    horowitz2014 (45 nm), jouppi2021 (7 nm), stillmaker2017 (45 to 90 nm, and the shape between anchors).
    """
    constants = technology or load_technology()
    return _factor([_step(leg) for leg in constants.classes[kind]], from_nm, to_nm, constants)


def sram_factor(size_bits: float, from_nm: float, to_nm: float, technology: Technology | None = None) -> Band:
    """Return what one access to an SRAM of a size becomes at another node, each node at its own nominal supply.

    Between the sizes of the tables the logarithm of each ratio goes straight in the logarithm of the size; smaller
    memories behave as the smallest, larger ones as the largest.

    Parameters
    ----------
    size_bits : float
        Size of the bank that is read [bit].
    from_nm, to_nm : float
        Nodes [nm].
    technology : Technology, optional

    Raises
    ------
    ProfileError
        When a node is outside the anchors.

    References
    ----------
    cacti7 (22 to 90 nm), jouppi2021 (to 7 nm).
    """
    constants = technology or load_technology()
    return _factor(_sram_steps(size_bits, constants), from_nm, to_nm, constants)


def _step(leg: Leg) -> _Step:
    band = leg.ratio.band
    return _Step(leg.coarse_nm, leg.fine_nm, (math.log(band.low), math.log(band.nominal), math.log(band.high)))


def _sram_steps(size_bits: float, technology: Technology) -> list[_Step]:
    """Return the legs at a size, between those of the next smaller and the next larger memory of the tables."""
    sizes = [memory.size.band.nominal for memory in technology.sram]
    inside = min(max(size_bits, sizes[0]), sizes[-1])
    index = max(i for i in range(len(sizes)) if sizes[i] <= inside)
    smaller = [_step(leg) for leg in technology.sram[index].legs]
    if index == len(sizes) - 1:
        return smaller
    larger = [_step(leg) for leg in technology.sram[index + 1].legs]
    way = math.log(inside / sizes[index]) / math.log(sizes[index + 1] / sizes[index])
    low, nominal, high = (
        [one.log_ratio[end] * (1 - way) + other.log_ratio[end] * way
         for one, other in zip(smaller, larger, strict=True)]
        for end in range(3)
    )
    return [_Step(one.coarse_nm, one.fine_nm, (low[i], nominal[i], high[i])) for i, one in enumerate(smaller)]


def way_between(coarse_nm: float, fine_nm: float, node_nm: float, technology: Technology | None = None) -> float:
    """Return how much of the way between two nodes lies behind a third: 0 at the coarse end and above, 1 at the fine.

    Raises
    ------
    ProfileError
        When an end is outside the anchors.

    References
    ----------
    stillmaker2017: energies at 0.8 V, their logarithm.
    """
    inside = min(max(node_nm, fine_nm), coarse_nm)
    points = [(point.node_nm, point.energy.value) for point in (technology or load_technology()).shape]
    coarse, here, fine = (math.log(interpolated(node, points)) for node in (coarse_nm, inside, fine_nm))
    return (coarse - here) / (coarse - fine)


def _factor(steps: list[_Step], from_nm: float, to_nm: float, technology: Technology) -> Band:
    for node in (from_nm, to_nm):
        check_node(node, technology, where="scaling")
    low = nominal = high = 0.0
    for step in steps:
        before, after = (way_between(step.coarse_nm, step.fine_nm, node, technology) for node in (from_nm, to_nm))
        gone = after - before
        ends = (step.log_ratio[0], step.log_ratio[2])
        least, most = ends if gone >= 0 else ends[::-1]
        low, nominal, high = low + gone * least, nominal + gone * step.log_ratio[1], high + gone * most
    return Band(math.exp(low), math.exp(nominal), math.exp(high))
