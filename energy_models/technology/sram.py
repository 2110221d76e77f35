"""Laws of SRAM energy, leakage and access time by node, cell flavour, size and width, fitted to a sweep of CACTI 7.

For each node and ITRS cell flavour, least squares in the logarithm at 300 K; x = ln(S / 8 KiB) of the size S in bytes,
y = ln(W / 32) of the width W in bits:

    read, write   ln E = ln E0 + s x + w y + a x^2 + b y^2 + c x y    [J] a word
    access        ln t = ln t0 + s x + w y + a x^2 + b y^2 + c x y    [s]
    leakage       L = L0 (S / 8 KiB)^s exp(k (T - 300))               [W] a bit, k from the same at other temperatures

The three curvatures a, b, c of a figure are those of all nodes and flavours together: a small macro is more than its
cells, and a wide word shares its decoder. Without them a memory of 1 KiB read a fifth too dear.

`fit_errors` says how far the sweep lies from its law; `energy_models.technology.sram_steps` adds what no smooth law
follows, and prices a macro. What was not swept is refused: no law is trusted beyond its data.
Small memories are registers, not SRAM: see `energy_models.technology.register_file`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from energy_models.errors import PriceError
from energy_models.quantities.number import Number

Flavour = Literal["itrs-lstp", "itrs-lop", "itrs-hp"]
Law = Literal["read", "write", "access", "leakage"]
BentLaw = Literal["read", "write", "access"]
Curvature = tuple[float, float, float]
FLAVOURS: tuple[Flavour, ...] = ("itrs-lstp", "itrs-lop", "itrs-hp")

SWEEP = "measurements/cacti_sweep.csv"
REFERENCE_BYTES, REFERENCE_BITS, REFERENCE_K = 8192, 32, 300.0
REGISTER_BYTES = 256
"""Largest memory of registers: no SRAM macro is built so small."""
COLUMNS: Mapping[Law, tuple[str, str]] = {
    "read": ("read_pJ", "pJ"), "write": ("write_pJ", "pJ"), "access": ("access_ns", "ns"),
    "leakage": ("leak_pW_per_bit", "pW/bit"),
}


@dataclass(frozen=True, slots=True)
class SweptMemory:
    """One run of CACTI: the memory that was requested, and the four figures in the units of the file."""

    node_nm: int
    flavour: Flavour
    temperature_k: float
    size_bytes: int
    width_bits: int
    figures: Mapping[Law, float]


@dataclass(frozen=True, slots=True)
class FitError:
    """How far the fitted runs lie from a law: ``max(run / law, law / run) - 1``, and how many runs there are."""

    runs: int
    median: float
    p90: float
    largest: float


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """``reference exp(size x + width y + curvature . (x^2, y^2, x y) + warmth (T - 300))``, and its error.

    In the unit of its column; x and y are the logarithms of size and width over those of the reference.
    """

    reference: float
    size: float
    width: float
    curvature: tuple[float, float, float]
    warmth: float
    error: FitError

    def at(self, size_bytes: float, width_bits: float, temperature_k: float) -> float:
        """Return the law's value."""
        return float(self.at_points(size_bytes, width_bits, temperature_k))

    def at_points(self, size_bytes: Number, width_bits: Number, temperature_k: float) -> Number:
        """Return the law's value, or those of arrays of points, in the unit of its column."""
        x: Number = np.log(size_bytes / REFERENCE_BYTES)
        y: Number = np.log(width_bits / REFERENCE_BITS)
        first, second, both = self.curvature
        bent = first * x * x + second * y * y + both * x * y
        power = self.size * x + self.width * y + bent + self.warmth * (temperature_k - REFERENCE_K)
        return cast(Number, self.reference * np.exp(power))


@dataclass(frozen=True, slots=True)
class MemoryFit:
    """The laws of one node and flavour, and the range of the runs they rest on."""

    laws: Mapping[Law, PowerLaw]
    sizes_bytes: tuple[int, int]
    widths_bits: tuple[int, int]
    temperatures_k: tuple[float, float]


@cache
def sweep() -> tuple[SweptMemory, ...]:
    """Return the runs of the shipped sweep."""
    text = (files("energy_models.data") / SWEEP).read_text(encoding="utf-8")
    return tuple(
        SweptMemory(
            int(row["node_nm"]), cast(Flavour, row["cell"]), float(row["temp_K"]), int(row["size_bytes"]),
            int(row["width_bits"]),
            {law: float(row[column]) for law, (column, _) in COLUMNS.items()},
        )
        for row in csv.DictReader(text.splitlines())
    )


@cache
def memory_fit(node_nm: int, flavour: Flavour) -> MemoryFit:
    """Return the laws fitted to the sweep for one node and cell flavour.

    Raises
    ------
    PriceError
        When the sweep has no runs of them; the nodes it has are listed.
    """
    every = [run for run in sweep() if run.node_nm == node_nm and run.flavour == flavour]
    if not every:
        nodes = sorted({run.node_nm for run in sweep()})
        raise PriceError(
            f"no memory of {node_nm} nm {flavour} was swept", where=SWEEP,
            remedy=f"Swept nodes: {nodes} nm; flavours: {', '.join(FLAVOURS)}",
        )
    cold = [run for run in every if run.temperature_k == REFERENCE_K]
    laws: dict[Law, PowerLaw] = {law: _fitted(cold, every, law) for law in COLUMNS}
    sizes, widths = [run.size_bytes for run in cold], [run.width_bits for run in cold]
    warm = [run.temperature_k for run in every]
    return MemoryFit(laws, (min(sizes), max(sizes)), (min(widths), max(widths)), (min(warm), max(warm)))


def fit_errors() -> dict[tuple[int, Flavour, Law], FitError]:
    """Return the error of every law, by node, flavour and law."""
    nodes = sorted({run.node_nm for run in sweep()})
    return {
        (node, flavour, law): one.error
        for node in nodes
        for flavour in FLAVOURS
        for law, one in memory_fit(node, flavour).laws.items()
    }


def _fitted(cold: list[SweptMemory], every: list[SweptMemory], law: Law) -> PowerLaw:
    """Return the least-squares law of one figure; leakage does not depend on width, only leakage on temperature."""
    bent = (0.0, 0.0, 0.0) if law == "leakage" else _curvature(law)
    warmth = _warmth(cold, every) if law == "leakage" else 0.0
    runs = every if law == "leakage" else cold
    bare = solved_law(cold, law, bent, warmth)
    ratios = [run.figures[law] / bare.at(run.size_bytes, run.width_bits, run.temperature_k) for run in runs]
    return replace(bare, error=error_of(ratios))


def error_of(ratios: Sequence[float]) -> FitError:
    """Return the error of ratios of runs over what is said of them."""
    off = np.maximum(ratios, np.reciprocal(ratios)) - 1.0
    return FitError(len(ratios), float(np.median(off)), float(np.quantile(off, 0.9)), float(off.max()))


def solved_law(cold: Sequence[SweptMemory], law: Law, bent: Curvature, warmth: float) -> PowerLaw:
    """Return the least-squares law of runs at 300 K for given curvatures, without an error."""
    size, width, figure = _logs(cold, law)
    terms = [np.ones_like(size), size] + ([] if law == "leakage" else [width])
    figure = figure - bent[0] * size**2 - bent[1] * width**2 - bent[2] * size * width
    solved, *_ = np.linalg.lstsq(np.stack(terms, axis=1), figure, rcond=None)
    factors = [float(one) for one in solved] + [0.0] * (3 - len(terms))
    return PowerLaw(float(np.exp(factors[0])), factors[1], factors[2], bent, warmth, FitError(0, 0.0, 0.0, 0.0))


@cache
def _curvature(law: Law) -> Curvature:
    return curvature_of([run for run in sweep() if run.temperature_k == REFERENCE_K], law)


def curvature_of(runs: Sequence[SweptMemory], law: Law) -> Curvature:
    """Return the curvatures of a figure in size, in width and in both, of all nodes and flavours together."""
    kinds = sorted({(run.node_nm, run.flavour) for run in runs})
    place = np.array([kinds.index((run.node_nm, run.flavour)) for run in runs])
    size, width, figure = _logs(runs, law)
    own = np.eye(len(kinds))[place]
    parts = [own, own * size[:, None], own * width[:, None], np.stack([size**2, width**2, size * width], axis=1)]
    solved, *_ = np.linalg.lstsq(np.concatenate(parts, axis=1), figure, rcond=None)
    first, second, both = (float(one) for one in solved[-3:])
    return first, second, both


def _logs(runs: Sequence[SweptMemory], law: Law) -> tuple[NDArray[np.float64], ...]:
    size = np.log([run.size_bytes / REFERENCE_BYTES for run in runs])
    width = np.log([run.width_bits / REFERENCE_BITS for run in runs])
    return size, width, np.log([run.figures[law] for run in runs])


def _warmth(cold: list[SweptMemory], every: list[SweptMemory]) -> float:
    """Return the slope of the logarithm of leakage in temperature, through the same memories at 300 K [1/K]."""
    at_reference = {(run.size_bytes, run.width_bits): run.figures["leakage"] for run in cold}
    rises: list[float] = []
    logs: list[float] = []
    for run in every:
        base = at_reference.get((run.size_bytes, run.width_bits))
        if run.temperature_k != REFERENCE_K and base is not None:
            rises.append(run.temperature_k - REFERENCE_K)
            logs.append(float(np.log(run.figures["leakage"] / base)))
    return float(np.dot(rises, logs) / np.dot(rises, rises)) if rises else 0.0
