"""What must be assumed for two published powers of one network, at 32 and at 8 bits, to hold together.

A power is taken apart as ``static + rate x (arithmetic + bits x energy a bit)``. Arithmetic falls with the width as its
model says, traffic in proportion to its bits, static power not at all. Nothing is fitted: each function solves two
equations for two unknowns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import Field

from energy_models.analysis.published_models.mac_only import load_cost_model, mac_only_energy
from energy_models.quantities import EnergyPerBit, Frequency, Frozen, Power, read_model
from energy_models.workload import LayerWork, Workload

T = TypeVar("T")
S = TypeVar("S")
FLOAT, INTEGER = "horowitz_fp32", "horowitz_int8"
"""Published models of one product at 32 and at 8 bits."""


class Published(Frozen):
    """What the paper gives, and the decision rate it does not."""

    float32: Power
    w8a8: Power
    rate: Frequency


class Carrier(Frozen):
    """A memory or a link, and what a bit through it costs."""

    title: str = Field(min_length=1)
    energy: EnergyPerBit


class BrainDistill(Frozen):
    """The shipped file."""

    published: Published
    carriers: Mapping[str, Carrier]


@cache
def shipped() -> BrainDistill:
    """Return the published figures and the energies they are held against."""
    return read_model(Path(str(files("energy_models.data"))) / "braindistill.toml", BrainDistill)


@dataclass(frozen=True, slots=True)
class Both(Generic[T]):
    """The same thing at 32 bits and at 8."""

    float32: T
    w8a8: T

    def map(self, what: Callable[[T], S]) -> Both[S]:
        """Return what a function gives for each."""
        return Both(what(self.float32), what(self.w8a8))


def published_w() -> Both[float]:
    """Return the two published powers [W]."""
    given = shipped().published
    return Both(given.float32.band.nominal, given.w8a8.band.nominal)


def arithmetic_j(workloads: Both[Workload]) -> Both[float]:
    """Return the energy of all products of one decision, by the 45 nm models [J]."""
    models = Both(load_cost_model(FLOAT), load_cost_model(INTEGER))
    return Both(
        mac_only_energy(workloads.float32, models.float32).nominal, mac_only_energy(workloads.w8a8, models.w8a8).nominal
    )


def products(layer: LayerWork) -> float:
    """Return a layer's textbook products in one decision."""
    return 0.0 if layer.products is None else layer.products.dense_full.mean


def operations(workload: Workload) -> float:
    """Return the operations of one decision that are not products: additions, divisions, requantisations and more."""
    return sum(count.mean for layer in workload.layers for count in layer.operations.values())


def stored_bits(workload: Workload) -> float:
    """Return the bits of all weights and biases, each fetched once."""
    return sum(layer.weights * layer.weight_bits + layer.biases * layer.bias_bits for layer in workload.layers)


def weight_bits(workload: Workload) -> float:
    """Return the bits where every product fetches its weight: each weight anew for every token."""
    return sum(products(layer) * layer.weight_bits for layer in workload.layers)


def operand_bits(workload: Workload) -> float:
    """Return the bits where every product fetches both operands; without a stored weight both are activations."""
    return sum(
        products(layer) * ((layer.weight_bits or layer.activation_bits) + layer.activation_bits)
        for layer in workload.layers
    )


def input_bits_per_s(workload: Workload) -> float:
    """Return the bits of all input samples of a second."""
    return workload.channels * workload.step_rate_hz * workload.input_bits


def rate_and_static(power_w: Both[float], energy_j: Both[float]) -> tuple[float, float]:
    """Return the decisions a second [Hz] and the static power [W] at which energies give both powers."""
    rate_hz = (power_w.float32 - power_w.w8a8) / (energy_j.float32 - energy_j.w8a8)
    return rate_hz, power_w.float32 - rate_hz * energy_j.float32


@dataclass(frozen=True, slots=True)
class Split:
    """Parts of the power at 32 bits [W]."""

    static_w: float
    arithmetic_w: float
    traffic_w: float


def no_arithmetic(power_w: Both[float], *, width_ratio: float) -> Split:
    """Return the parts if all is traffic or static: ``s + t = P32``, ``s + t / w = P8``."""
    traffic = (power_w.float32 - power_w.w8a8) / (1 - 1 / width_ratio)
    return Split(power_w.float32 - traffic, 0.0, traffic)


def no_static(power_w: Both[float], *, width_ratio: float, arithmetic_ratio: float) -> Split:
    """Return the parts if nothing is static: ``a + t = P32``, ``a / k + t / w = P8``."""
    arithmetic = (power_w.float32 / width_ratio - power_w.w8a8) / (1 / width_ratio - 1 / arithmetic_ratio)
    return Split(0.0, arithmetic, power_w.float32 - arithmetic)


def no_traffic(power_w: Both[float], *, arithmetic_ratio: float) -> Split:
    """Return the parts if all is arithmetic or static: ``s + a = P32``, ``s + a / k = P8``."""
    arithmetic = (power_w.float32 - power_w.w8a8) / (1 - 1 / arithmetic_ratio)
    return Split(power_w.float32 - arithmetic, arithmetic, 0.0)
