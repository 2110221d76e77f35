"""What an SRAM macro costs: the smooth law of its node and cells, times what CACTI's choice of sub-arrays adds to it.

CACTI cuts a memory into sub-arrays by powers of two, so that energies and times go in steps that no smooth law follows.
The steps are much the same at all nodes and flavours, and more so in one flavour at nodes close by. So the logarithms
of run over law, r, are carried from the runs to a memory (simple kriging):

    ln(cost / law) = k (K + n^2 1)^-1 r,    k = (a^2 + b^2 [same flavour] N) G,
    G = exp(-(log2 S'/S)^2 / 2 s^2 - (log2 W'/W)^2 / 2 w^2),    N = exp(-(ln node'/node)^2 / 2 m^2)

with five constants a figure, of maximum likelihood. Leakage has its law alone. A machine that is being designed is
sized by the smooth laws: a step of the sweep is no reason to choose a memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import PriceError
from energy_models.quantities import Quantity
from energy_models.technology.sram import (
    COLUMNS,
    REFERENCE_K,
    SWEEP,
    BentLaw,
    FitError,
    Flavour,
    Law,
    PowerLaw,
    SweptMemory,
    curvature_of,
    error_of,
    memory_fit,
    solved_law,
    sweep,
)

Array = NDArray[np.float64]
NODES_ALIKE = 0.45
"""Logarithm of the ratio of two nodes at which runs of one flavour say 0.6 of what they say at one node: assumed."""
Z90 = 1.6449
"""Standard deviations either way that hold 90 %."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How runs of a figure go together: `shared` a, `flavour` b and `own` n, in logarithms; `size` s, `width` w [1]."""

    shared: float
    flavour: float
    own: float
    size: float
    width: float


STEPS: Mapping[BentLaw, Steps] = {
    "read": Steps(shared=0.146, flavour=0.109, own=0.075, size=0.80, width=1.83),
    "write": Steps(shared=0.0, flavour=0.053, own=0.030, size=0.55, width=0.81),
    "access": Steps(shared=0.030, flavour=0.055, own=0.036, size=0.71, width=2.55),
}
"""Constants of maximum likelihood over the shipped sweep; a test finds none better close by."""


@dataclass(frozen=True, slots=True)
class MemoryCosts:
    """Energy of one word read and written, leakage of one kept bit, and access time, as a profile states them."""

    read: Quantity
    write: Quantity
    retention: Quantity
    access: Quantity


def sram_costs(
    node_nm: int, flavour: Flavour, *, size_bytes: int, width_bits: int, temperature_k: float
) -> MemoryCosts:
    """Return what an SRAM macro costs, with bounds that hold 90 % of the runs of CACTI.

    The bounds are those of the fit, without the error of CACTI against silicon, by which a profile widens them.

    Parameters
    ----------
    node_nm : int
        Technology node [nm].
    flavour : {'itrs-lstp', 'itrs-lop', 'itrs-hp'}
        Transistors of the cells: low standby power, low operating power, high performance.
    size_bytes, width_bits : int
        Macro (or bank) and its word.
    temperature_k : float
        Silicon temperature [K].

    Raises
    ------
    PriceError
        When any of them lies outside the swept range, which is stated.
    """
    fit = memory_fit(node_nm, flavour)
    ranges = (
        ("bytes", size_bytes, fit.sizes_bytes), ("bit", width_bits, fit.widths_bits),
        ("K", temperature_k, fit.temperatures_k),
    )
    outside = [
        f"{value:g} {unit} (swept: {least:g} to {most:g})"
        for unit, value, (least, most) in ranges
        if not least <= value <= most
    ]
    if outside:
        raise PriceError(
            f"SRAM of {node_nm} nm {flavour} outside the sweep: {', '.join(outside)}", where=SWEEP,
            remedy="Stay inside; compose large memories of banks, and below 256 bytes take register_file",
        )
    point = f"{node_nm} nm, {flavour}, {temperature_k:g} K, {size_bytes} bytes, {width_bits} bit"
    here = SweptMemory(node_nm, flavour, temperature_k, size_bytes, width_bits, {})
    laws: tuple[BentLaw, ...] = ("read", "write", "access")
    read, write, access = (_stepped(law, fit.laws[law], here, point) for law in laws)
    return MemoryCosts(read, write, _leakage(fit.laws["leakage"], here, point), access)


def _stepped(law: BentLaw, smooth: PowerLaw, here: SweptMemory, point: str) -> Quantity:
    step, deviation = _step(law, here)
    value = smooth.at(here.size_bytes, here.width_bits, here.temperature_k) * math.exp(step)
    note = f"the law times {math.exp(step):.3g} by the steps of other runs; bounds hold 90 % of runs that were left out"
    return _quantity(value, math.exp(Z90 * deviation), law, point, note)


def _leakage(smooth: PowerLaw, here: SweptMemory, point: str) -> Quantity:
    value = smooth.at(here.size_bytes, here.width_bits, here.temperature_k)
    note = f"bounds: largest deviation of {smooth.error.runs} runs from the law, {smooth.error.largest:.0%}"
    return _quantity(value, 1.0 + smooth.error.largest, "leakage", point, note)


def _quantity(value: float, factor: float, law: Law, point: str, note: str) -> Quantity:
    return Quantity(
        value=value, low=value / factor, high=value * factor, unit=COLUMNS[law][1], basis="derived", source="cacti7",
        where=f"{law} law fitted to the shipped sweep at {point}", note=note,
    )


def _step(law: BentLaw, here: SweptMemory) -> tuple[float, float]:
    """Return the logarithm of what a memory costs over its law, and the standard deviation of a run from that."""
    runs, inverse, residuals = _kriging(law)
    alike = covariance([here], runs, STEPS[law])[0]
    steps = STEPS[law]
    variance = steps.shared**2 + steps.flavour**2 - float(alike @ inverse @ alike)
    return float(alike @ inverse @ residuals), math.sqrt(max(variance, 0.0) + steps.own**2)


@cache
def _kriging(law: BentLaw) -> tuple[tuple[SweptMemory, ...], Array, Array]:
    """Return the runs at 300 K, the inverse of their covariance, and the logarithms of run over law."""
    runs = cold_runs()
    laws = [memory_fit(run.node_nm, run.flavour).laws[law] for run in runs]
    said = [one.at(run.size_bytes, run.width_bits, REFERENCE_K) for one, run in zip(laws, runs, strict=True)]
    return runs, _inverse(runs, STEPS[law]), np.log([run.figures[law] for run in runs]) - np.log(said)


def _inverse(runs: Sequence[SweptMemory], steps: Steps) -> Array:
    return cast(Array, np.linalg.inv(covariance(runs, runs, steps) + steps.own**2 * np.eye(len(runs))))


def covariance(these: Sequence[SweptMemory], those: Sequence[SweptMemory], steps: Steps) -> Array:
    """Return the covariance of the logarithms of run over law, without the part that is each run's own."""
    size, width, node = (
        np.subtract.outer(np.log([getattr(one, name) for one in these]), np.log([getattr(one, name) for one in those]))
        for name in ("size_bytes", "width_bits", "node_nm")
    )
    same = np.array([[one.flavour == other.flavour for other in those] for one in these])
    octaves = (size / (steps.size * math.log(2))) ** 2 + (width / (steps.width * math.log(2))) ** 2
    near = np.exp(-((node / NODES_ALIKE) ** 2) / 2)
    return (steps.shared**2 + steps.flavour**2 * same * near) * np.exp(-octaves / 2)


@cache
def cold_runs() -> tuple[SweptMemory, ...]:
    """Return the runs at 300 K."""
    return tuple(run for run in sweep() if run.temperature_k == REFERENCE_K)


@cache
def left_out(law: BentLaw) -> tuple[tuple[SweptMemory, float, float], ...]:
    """Return each run with what it is over its cost by all others, laws, curvatures and steps, and the 90 % factor.

    The kriging of a run without itself is read from the inverse of all: ``r - (K^-1 r) / (K^-1)_ii``.
    """
    runs = cold_runs()
    inverse = _inverse(runs, STEPS[law])
    found: list[tuple[SweptMemory, float, float]] = []
    for place, out in enumerate(runs):
        rest = [run for run in runs if run is not out]
        bent = curvature_of(rest, law)
        kinds = {(run.node_nm, run.flavour) for run in runs}
        laws = {kind: solved_law([one for one in rest if (one.node_nm, one.flavour) == kind], law, bent, 0.0)
                for kind in kinds}  # fmt: skip
        said = [laws[run.node_nm, run.flavour].at(run.size_bytes, run.width_bits, REFERENCE_K) for run in runs]
        residuals = np.log([run.figures[law] for run in runs]) - np.log(said)
        own = float(inverse[place, place])
        off = float(inverse[place] @ residuals) / own
        found.append((out, math.exp(off), math.exp(Z90 / math.sqrt(own))))
    return tuple(found)


def held_out_errors(law: BentLaw) -> dict[tuple[int, Flavour], FitError]:
    """Return how far each run at 300 K lies from its cost without it, by node and flavour."""
    ratios: dict[tuple[int, Flavour], list[float]] = {}
    for run, ratio, _ in left_out(law):
        ratios.setdefault((run.node_nm, run.flavour), []).append(ratio)
    return {kind: error_of(found) for kind, found in ratios.items()}
