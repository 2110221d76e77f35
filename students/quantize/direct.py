"""What integer modules compute in training: the numbers of Brevitas's quantisers, without the proxies around them.

A quantiser's scale is its learned threshold over its highest level (as `_rounded` gives it); its numbers are those of
`students.kernels.fake_quantise`. In evaluation (but for the validation between epochs), in export, where a quantiser is
switched off or observes only, and where somebody listens to its parts, Brevitas's own modules run; tests hold the two
equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import torch
from brevitas.function.ops_ste import round_ste
from brevitas.quant_tensor import IntQuantTensor
from torch import Tensor, nn

from students.kernels.fake_quantise import fake_quantise
from students.layers.fused import hooks_of
from students.layers.grid import evaluates_directly
from students.quantize.signals import check_calibrated
from students.quantize.weight_grid import ScaleKind, WeightGrid

BIAS_LEVELS = 2**31
"""Largest level of a bias, which is stored in 32 bits."""


class DirectGrid:
    """The grid of one quantiser: symmetric where it is signed, from zero on where it is not.

    Parameters
    ----------
    bits : int
    sign : {'signed', 'unsigned'}
    scale : {'float', 'power_of_two'}
        Of which kind its scale is.
    """

    def __init__(self, bits: int, sign: Literal["signed", "unsigned"], scale: ScaleKind = "float") -> None:
        self.bits, self.signed = bits, sign == "signed"
        self.scale_kind: ScaleKind = scale
        self.highest = float(2 ** (bits - 1) - 1 if self.signed else 2**bits - 1)
        self.lowest = -self.highest if self.signed else 0.0
        # By which a power of two stays one.
        self._divisor = self.highest + 1 if scale == "power_of_two" else _rounded(self.highest)
        self._quantiser: nn.Module | None = None
        self._hooks: tuple[Mapping[int, Any], ...] = ()

    def scale(self, layer: Any, proxy: Any, holder: Any) -> Tensor | None:
        """Return the quantiser's scale; None where Brevitas's modules have to run.

        Parameters
        ----------
        layer : QuantLayerMixin
        proxy : QuantProxyFromInjector
            Of the signal or the weights.
        holder : nn.Module
            Holds the quantiser as `tensor_quant`.
        """
        runs = layer.training or evaluates_directly()
        if not runs or layer.export_mode or not proxy.is_quant_enabled:
            return None
        quantiser = holder.tensor_quant
        if self._quantiser is not quantiser:
            self._quantiser, self._hooks = quantiser, hooks_of(*proxy.modules())
        if quantiser.observer_only or any(self._hooks):
            return None
        threshold = quantiser.scaling_impl.value
        if self.scale_kind == "power_of_two":
            threshold = round_ste(threshold)
        return torch.pow(2.0, threshold) / self._divisor

    def signal_scale(self, layer: Any) -> Tensor | None:
        """Return `scale` of a layer that puts signals on a grid."""
        return self.scale(layer, layer.act_quant, layer.act_quant.fused_activation_quant_proxy)

    def put(self, signal: Tensor, scale: Tensor) -> IntQuantTensor:
        """Return a signal on the grid."""
        values = fake_quantise(signal, scale, self.lowest, self.highest)
        return IntQuantTensor(values, scale, *_described(self.bits, self.signed, scale.device))

    def constants(self, layer: Any, signal: IntQuantTensor, where: str) -> tuple[Tensor, Tensor | None] | None:
        """Return a product's weights and bias as `scaled_constants`."""
        found = self.scaled_constants(layer, signal, where)
        return None if found is None else found[:2]

    def scaled_constants(
        self, layer: Any, signal: IntQuantTensor, where: str
    ) -> tuple[Tensor, Tensor | None, Tensor] | None:
        """Return a product's weights and bias on their grids, and its scale; None where Brevitas's modules have to run.

        Raises
        ------
        StudentError
            Scales that were never calibrated.
        """
        scale = self.scale(layer, layer.weight_quant, layer.weight_quant)
        if scale is None or (layer.bias is not None and any(hooks_of(layer.bias_quant))):
            return None
        check_calibrated(scale, where)
        weight = fake_quantise(layer.weight, scale, self.lowest, self.highest)
        if layer.bias is None:
            return weight, None, scale
        accumulator = (scale * signal.scale).view(-1)
        return weight, fake_quantise(layer.bias, accumulator, -BIAS_LEVELS, BIAS_LEVELS - 1), scale


class BrevitasGrid(DirectGrid):
    """A grid without a direct form: Brevitas's modules run always."""

    def scale(self, layer: Any, proxy: Any, holder: Any) -> None:
        """Return None."""
        return None


def direct_weights(weights: WeightGrid) -> DirectGrid:
    """Return the direct form of a product's weights, where there is one."""
    kind = BrevitasGrid if isinstance(weights.weight, str) else DirectGrid
    return kind(max(weights.bits, 2), "signed", weights.scale)


@cache
def _rounded(level: float) -> float:
    """Return a level as Brevitas divides by it: through its logarithm in float32, which moves 255 to 254.99997."""
    return float(torch.pow(2.0, torch.log2(torch.tensor(level))))


@cache
def _described(bits: int, signed: bool, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return zero point, width, sign and mode as a `QuantTensor` carries them, made once."""
    with torch.inference_mode(False):  # they outlive it
        width = torch.tensor(float(bits), device=device)
        return torch.zeros_like(width), width, torch.tensor(signed, device=device), torch.tensor(True, device=device)
