"""Widths that are learned, of weights and of signals: each becomes a number that its loss and its cost pull at.

A width is rounded in the forward pass, its gradient passes (Brevitas's ``BitWidthParameter``). The clipping threshold
stays where it is, so that one bit less doubles the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from brevitas.core.bit_width import BitWidthParameter
from brevitas.inject.enum import BitWidthImplType
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.quantize.calibration import calibrate
from students.quantize.direct import BrevitasGrid
from students.quantize.modules import INTEGER_PRODUCTS, IntegerAveragePool
from students.quantize.recurrent import IntegerRecurrent

LEAST = 2


def free_widths(model: nn.Module) -> dict[str, list[nn.Module]]:
    """Make the weight widths of an integer student learnable, in place, and return the products of each layer by name.

    The two products of a GRU or LSTM are one layer.

    Raises
    ------
    StudentError
        Coarse weights, which have no width to learn.
    """
    recurrent = [name for name, module in model.named_modules() if isinstance(module, IntegerRecurrent)]
    found: dict[str, list[nn.Module]] = {}
    for name, module in model.named_modules():
        if isinstance(module, INTEGER_PRODUCTS):
            layer = next((one for one in recurrent if name.startswith(f"{one}.")), name)
            _free(module, name)
            found.setdefault(layer, []).append(module)
    return found


def free_signal_widths(
    model: nn.Module, readers: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, ...], nn.Module]:
    """Make widths of an integer student's signals learnable, in place, and return them by the layers that have them.

    Layers that read one signal share a width. A GRU or LSTM reads its state at its signal's width, which is kept.

    Parameters
    ----------
    model : nn.Module
    readers : mapping of str to tuple of str
        Layers whose activation width each signal has, by the path of what puts it on its grid.
    """
    fixed = {name for name, module in model.named_modules() if isinstance(module, IntegerRecurrent)}
    found: dict[tuple[str, ...], nn.Module] = {}
    for layers, names in _groups(readers).items():
        if fixed.isdisjoint(layers):
            modules = [model.get_submodule(name) for name in names]
            grids = [one.grid if isinstance(one, IntegerAveragePool) else one for one in modules]
            found[layers] = _free_signals(grids)
    return found


def _groups(readers: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return signals by all layers that share a width with those that read them; what none reads is left out."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for signal, layers in readers.items():
        shared = [group for group in found if set(group) & set(layers)]
        merged = tuple(dict.fromkeys([*(name for group in shared for name in group), *layers]))
        signals = tuple(name for group in shared for name in found.pop(group))
        if merged:
            found[merged] = (*signals, signal)
    return found


def _free_signals(modules: list[Any]) -> BitWidthParameter:
    """Give signals one learnable width; it starts where it was."""
    width = BitWidthParameter(modules[0].direct.bits)
    for module in modules:
        module.act_quant.fused_activation_quant_proxy.tensor_quant.msb_clamp_bit_width_impl = width
        module.direct = BrevitasGrid(module.direct.bits, "signed")
    return width


def _free(module: Any, name: str) -> None:
    if isinstance(module.direct, BrevitasGrid):
        raise StudentError(
            "ternary and binary weights have no width to learn", where=name, remedy="Begin with a form such as w8a8"
        )
    proxy = module.weight_quant
    proxy.quant_injector = proxy.quant_injector.let(bit_width_impl_type=BitWidthImplType.PARAMETER)
    proxy.init_tensor_quant()
    calibrate(proxy, module.weight.detach().flatten(1))
    module.direct = BrevitasGrid(module.direct.bits, "signed")


def width_of(module: Any) -> Tensor:
    """Return a freed width, of a product's weights or of signals, differentiable, shape () [bits]."""
    return _parameter(module)()


def width_parameters(modules: list[nn.Module]) -> list[nn.Parameter]:
    """Return the parameters that widths are learned by."""
    return [_parameter(module).bit_width_offset for module in modules]


def keep_in_range(module: Any, most: int) -> None:
    """Move a learned width back to between two bits and `most`."""
    with torch.no_grad():
        _parameter(module).bit_width_offset.clamp_(0, most - LEAST)


def _parameter(module: Any) -> BitWidthParameter:
    if isinstance(module, BitWidthParameter):
        return module
    return next(part for part in module.weight_quant.modules() if isinstance(part, BitWidthParameter))
