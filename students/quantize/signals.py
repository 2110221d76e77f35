"""Signals between integer layers: numbers with or without a grid."""

from __future__ import annotations

from typing import Any, cast

import torch
from brevitas.quant_tensor import IntQuantTensor, QuantTensor
from torch import Tensor

from energy_models.errors import StudentError
from students.kernels.neurons.spike_product import are_spikes
from students.layers.grid import SPIKES, Grid


def bits_of(width: Any) -> int:
    """Return a width that Brevitas keeps in a tensor."""
    return round(float(width.detach() if isinstance(width, Tensor) else width))


def value_of(signal: Tensor | QuantTensor) -> Tensor:
    """Return a signal's numbers, whether or not it carries a grid."""
    return signal if isinstance(signal, Tensor) else cast(IntQuantTensor, signal).value


def grid_of(signal: Tensor | QuantTensor) -> Grid | None:
    """Return the grid a signal carries; None for a plain tensor."""
    if not isinstance(signal, IntQuantTensor):
        return None
    return Grid(bits_of(signal.bit_width), float(signal.scale.item()), bool(signal.signed))


def on_grid(signal: Tensor | QuantTensor, where: str) -> IntQuantTensor:
    """Return the signal with its grid; a plain tensor must hold spikes, anything else was never quantised."""
    if isinstance(signal, IntQuantTensor):
        return signal
    plain = value_of(signal)
    if not are_spikes(plain.detach()):
        raise StudentError(
            "an integer product was given numbers that are on no grid", where=where,
            remedy="Put quantise_input(), relu() or requantise() of the same Layers in front of it",
        )
    return with_grid(plain, SPIKES)


def with_grid(plain: Tensor, grid: Grid) -> IntQuantTensor:
    """Return numbers that lie on a grid without an offset with that grid."""
    scale, bits = (plain.new_tensor(float(number)) for number in (grid.scale, grid.bits))
    return IntQuantTensor(plain, scale, torch.zeros_like(scale), bits, grid.signed, False)


def on_grid_of(plain: Tensor, like: Tensor | QuantTensor) -> Tensor | QuantTensor:
    """Return numbers that were taken from a signal on its grid again; where it carries none, as they are."""
    if not isinstance(like, IntQuantTensor):
        return plain
    return IntQuantTensor(plain, like.scale, like.zero_point, like.bit_width, like.signed_t, like.training_t)


def check_calibrated(scale: Tensor, where: str) -> None:
    """Raise where a scale was neither calibrated nor loaded."""
    if bool(torch.isnan(scale).any()):
        raise StudentError(
            "this quantised student has no scales yet", where=where,
            remedy="Make it with quantised_from_float, or load a trained one",
        )
