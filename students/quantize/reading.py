"""The integers of any Brevitas network: grids of signals, codes of weights and biases.

What is read are the quantisers (`brevitas.proxy`), not the layers: every layer of `brevitas.nn` puts its signals,
weights and biases through them, whether or not it hands on a `QuantTensor`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import torch
from brevitas.core.quant import BinaryQuant, ClampedBinaryQuant, TernaryQuant
from brevitas.nn.mixin.base import QuantLayerMixin, QuantRecurrentLayerMixin
from brevitas.nn.quant_rnn import GateParams
from brevitas.nn.quant_scale_bias import QuantScaleBias
from brevitas.proxy.parameter_quant import BiasQuantProxyFromInjectorBase, WeightQuantProxyFromInjectorBase
from brevitas.proxy.runtime_quant import (
    FusedActivationQuantProxy,
    TruncQuantProxyFromInjector,
    _TensorQuantDisabledIdentity,
)
from brevitas.quant_tensor import IntQuantTensor, QuantTensor
from torch import Tensor, nn

from energy_models.errors import StudentError
from energy_models.workload import WeightForm
from students.layers.grid import Constant, Grid
from students.quantize.functions import FUNCTIONS
from students.quantize.integers import output_grid_of
from students.quantize.linear_attention import IntegerLinearAttention
from students.quantize.modules import INTEGER_PRODUCTS
from students.quantize.recurrent import STATE_GRID, IntegerRecurrent
from students.quantize.rows import SIGNAL_PRODUCTS, ExactSums, IntegerNorm, IntegerSoftmax

INSIDE = "_fast_cell"
"""A second cell that recurrent layers make of their first call's parts: its modules are known by their first names."""

Function = Literal["clip", "table", "unknown"]
CLIPS = (nn.Identity, nn.ReLU, nn.ReLU6, nn.Hardtanh)
TABLES = (nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Hardsigmoid, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Mish,
          nn.LeakyReLU, *FUNCTIONS)  # fmt: skip

__all__ = ["STATE_GRID", "output_grid_of"]


def is_integer_product(module: nn.Module) -> bool:
    """True for a product of `students.quantize.modules`."""
    return isinstance(module, INTEGER_PRODUCTS)


def is_layer(module: nn.Module) -> bool:
    """True for a layer that takes and may return quantised tensors: Brevitas's, and products of two signals."""
    return isinstance(module, (QuantLayerMixin, *SIGNAL_PRODUCTS))


def is_integer_recurrent(module: nn.Module) -> bool:
    """True for a GRU or LSTM of `students.quantize.recurrent`."""
    return isinstance(module, IntegerRecurrent)


def is_exact_sums(module: nn.Module) -> bool:
    """True for what takes the errors of floats out of a product of two signals."""
    return isinstance(module, ExactSums)


def is_integer_softmax(module: nn.Module) -> bool:
    """True for a softmax in integers."""
    return isinstance(module, IntegerSoftmax)


def is_integer_attention(module: nn.Module) -> bool:
    """True for linear attention in integers."""
    return isinstance(module, IntegerLinearAttention)


def is_integer_norm(module: nn.Module) -> bool:
    """True for a norm of rows in integers."""
    return isinstance(module, IntegerNorm)


def is_recurrent(module: nn.Module) -> bool:
    """True for one layer and direction of a recurrent network."""
    return isinstance(module, QuantRecurrentLayerMixin)


def is_scale_bias(module: nn.Module) -> bool:
    """True for a quantised per-channel scale and offset."""
    return isinstance(module, QuantScaleBias)


def is_truncation(module: nn.Module) -> bool:
    """True for a quantiser that shifts an integer to fewer bits."""
    return isinstance(module, TruncQuantProxyFromInjector) and module.is_quant_enabled


def is_parameter_quantiser(module: nn.Module) -> bool:
    """True for the quantiser of weights or biases."""
    kinds = (WeightQuantProxyFromInjectorBase, BiasQuantProxyFromInjectorBase)
    return isinstance(module, kinds) and module.is_quant_enabled


def is_signal_quantiser(module: nn.Module) -> bool:
    """True for a module that puts a signal on a grid, after the activation function that belongs to it."""
    if not isinstance(module, FusedActivationQuantProxy):
        return False
    quantiser: Any = module.tensor_quant
    return not isinstance(quantiser, _TensorQuantDisabledIdentity) and not bool(
        getattr(quantiser, "observer_only", False)
    )


def function_of(module: nn.Module) -> Function:
    """Return what a signal quantiser does before it rounds: nothing beyond clipping, or a non-linear function."""
    function = getattr(module, "activation_impl", None)
    if isinstance(function, CLIPS):
        return "clip"
    return "table" if isinstance(function, TABLES) else "unknown"


def has_name(module: nn.Module) -> bool:
    """True where a quantiser's function has an activation's name: it is more than a clip to the grid."""
    return not isinstance(getattr(module, "activation_impl", None), nn.Identity)


def signal_grid(module: nn.Module, output: Any) -> Grid | str:
    """Return the grid a signal quantiser or truncation put its output on, or why there is none.

    Parameters
    ----------
    module : nn.Module
        For which `is_signal_quantiser` or `is_truncation` holds.
    output : tuple of Tensor
        What it returned: values, scale, zero point, width, and for a truncation the sign.
    """
    if is_truncation(module):
        if not isinstance(output, IntQuantTensor):
            return "it hides the grid of its output"
        return _grid(output.scale, output.zero_point, output.bit_width, bool(output.signed), narrow=False)
    quantiser: Any = getattr(module, "tensor_quant", None)
    if any("Dynamic" in type(part).__name__ for part in module.modules()):
        return "its scale is computed anew from every input"
    _, scale, zero_point, *widths = output
    if isinstance(quantiser, BinaryQuant | ClampedBinaryQuant | TernaryQuant):
        return _grid(scale, zero_point, widths[0], signed=True, narrow=True)
    rounding = getattr(quantiser, "int_quant", None)
    if rounding is None or len(widths) != 1:
        return "its numbers are no integers on a grid"
    return _grid(scale, zero_point, widths[0], bool(rounding.signed), narrow=bool(rounding.narrow_range))


def _grid(scale: Tensor, zero_point: Tensor, width: Tensor, signed: bool, *, narrow: bool) -> Grid | str:
    if scale.numel() != 1 or zero_point.numel() != 1:
        return "one scale per channel of a signal is no single grid"
    span: Literal["narrow", "full"] = "narrow" if narrow else "full"
    return Grid(round(float(width)), float(scale), signed, round(float(zero_point)), span)


def carried_grids(arguments: Iterable[Any]) -> Iterator[tuple[Tensor, Grid | str]]:
    """Yield values and grid of every integer `QuantTensor` among arguments; its codes may take the full span."""
    for argument in arguments:
        if isinstance(argument, IntQuantTensor):
            found = _grid(
                argument.scale, argument.zero_point, argument.bit_width, bool(argument.signed), narrow=False
            )
            yield argument.value, found
        elif isinstance(argument, list | tuple) and not isinstance(argument, QuantTensor):
            yield from carried_grids(argument)


def constant_of(module: nn.Module, output: Any, where: str) -> tuple[Tensor, Constant] | str:
    """Return the values and the integers of a quantised weight or bias, or why it has none.

    Parameters
    ----------
    module : nn.Module
        For which `is_parameter_quantiser` holds.
    output : QuantTensor
        What it returned.
    where : str
        Its path, for the error.

    Raises
    ------
    StudentError
        A weight became infinite or no number in quantisation.
    """
    if not isinstance(output, IntQuantTensor):
        return "its weights are no integers on one grid per channel"
    value, scale = output.value.detach(), output.scale.detach()
    if not bool(torch.isfinite(value).all()):
        raise StudentError(
            "quantised weights are not finite: a symmetric grid of one bit has no levels", where=where,
            remedy="Use a binary quantiser (SignedBinaryWeightPerTensorConst) or two bits",
        )
    levels = torch.where(scale == 0, torch.zeros_like(value), value / scale).round().to(torch.int64)
    return output.value, Constant(levels, round(float(output.bit_width)), scale, _form(module, output))


def parameter_names(model: nn.Module) -> dict[int, str]:
    """Return names of parameters by identity; a quantiser holds parameters of other layers under names of its own."""
    named = model.named_parameters(remove_duplicate=False)
    return {id(parameter): name for name, parameter in named if ".tensor_quant." not in name}


def state_grids(module: Any) -> list[Grid | None]:
    """Return the grids of a recurrent layer's hidden state and, if it has one, its cell state; None where float."""
    found: list[Grid | None] = []
    for name in ("output_quant", "cell_state_quant"):
        proxy = getattr(module.cell, name, None)
        if proxy is None:
            continue
        quantiser = proxy.fused_activation_quant_proxy
        grid = None
        if quantiser is not None and is_signal_quantiser(quantiser):
            grid = signal_grid(quantiser, quantiser(torch.zeros(1)))
        found.append(grid if isinstance(grid, Grid) else None)
    return found


def gate_biases(module: nn.Module) -> int:
    """Return the stored biases of a recurrent layer's gates."""
    gates = [gate for gate in module.children() if isinstance(gate, GateParams)]
    return sum(gate.bias.numel() for gate in gates if gate.bias is not None)


def _form(module: Any, weight: IntQuantTensor) -> WeightForm:
    """Return which multiplications a weight's format leaves: binary and ternary ones are sign-adds."""
    quantiser = module.tensor_quant
    if isinstance(quantiser, BinaryQuant | ClampedBinaryQuant):
        return "binary"
    two_bits = round(float(weight.bit_width)) == 2 and bool(weight.signed) and not bool(weight.zero_point.any())
    if isinstance(quantiser, TernaryQuant) or (two_bits and bool(module.is_narrow_range)):
        return "ternary"
    return "graded"
