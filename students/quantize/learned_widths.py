"""Weight widths that are learned: each product's width becomes a number that its loss and its cost pull at.

A width is rounded in the forward pass, its gradient passes (Brevitas's ``BitWidthParameter``). The clipping threshold
stays where it is, so that one bit less doubles the step.
"""

from __future__ import annotations

from typing import Any

import torch
from brevitas.core.bit_width import BitWidthParameter
from brevitas.inject.enum import BitWidthImplType
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.quantize.calibration import calibrate
from students.quantize.direct import BrevitasGrid
from students.quantize.modules import INTEGER_PRODUCTS, IntegerLinear
from students.quantize.recurrent import IntegerRecurrent
from students.spec import LayerKind

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


def kinds_of(model: nn.Module) -> dict[str, LayerKind]:
    """Return the kinds of the products of an integer student that was made from an own network, by path."""
    cells = {name for name, module in model.named_modules() if isinstance(module, IntegerRecurrent)}
    kinds: dict[str, LayerKind] = dict.fromkeys(cells, "recurrent")
    for name, module in model.named_modules():
        if isinstance(module, INTEGER_PRODUCTS) and not any(name.startswith(f"{cell}.") for cell in cells):
            groups = 0 if isinstance(module, IntegerLinear) else module.groups
            kinds[name] = "linear" if groups == 0 else "depthwise" if groups > 1 else "conv"
    return kinds


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
    """Return the width of a freed product's weights, differentiable, shape () [bits]."""
    return _parameter(module)()


def width_parameters(modules: list[nn.Module]) -> list[nn.Parameter]:
    """Return the parameters that widths are learned by."""
    return [_parameter(module).bit_width_offset for module in modules]


def keep_in_range(module: Any, most: int) -> None:
    """Move a learned width back to between two bits and `most`."""
    with torch.no_grad():
        _parameter(module).bit_width_offset.clamp_(0, most - LEAST)


def _parameter(module: Any) -> BitWidthParameter:
    return next(part for part in module.weight_quant.modules() if isinstance(part, BitWidthParameter))
