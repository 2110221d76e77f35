"""Rounding after training: weights to the nearest integer or by GPTQ, then biases corrected; nothing is trained.

GPTQ (Frantar et al. 2023, arXiv 2210.17323) is Brevitas's: it rounds a product's weights one input after the other and
moves those not yet rounded so that the outputs on the calibration set change least. Bias correction (Nagel et al. 2019,
arXiv 1906.04721) follows the network: each layer that adds a bias of its own, a product or a batch norm, gets the mean
difference of its outputs from the float student's. Inside a GRU or LSTM nothing is corrected: a state is no linear
function of a bias.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from students.layers.layout import BatchNorm1d
from students.quantize.integers import quantisation_of
from students.quantize.modules import INTEGER_PRODUCTS
from students.quantize.recurrent import IntegerRecurrent
from students.quantize.signals import value_of

NORMS = (BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d)


def round_after_training(
    model: nn.Module, float_model: nn.Module, calibration: Tensor, rounding: Literal["ptq", "gptq"]
) -> None:
    """Round a calibrated student's weights and correct its biases, in place.

    Parameters
    ----------
    model : nn.Module
        With the float student's weights and calibrated grids.
    float_model : nn.Module
        The same modules by the same names.
    calibration : Tensor, shape (examples, channels, steps)
    rounding : {'ptq', 'gptq'}
    """
    was_training, floats_training = model.training, float_model.training
    model.eval()
    float_model.eval()
    with torch.no_grad():
        if rounding == "gptq":
            _gptq(model, calibration)
        _correct_biases(model, float_model, calibration)
    model.train(was_training)
    float_model.train(floats_training)


def _gptq(model: nn.Module, calibration: Tensor) -> None:
    """Round the weights of the products that are called; those read inside a recurrent layer keep the nearest."""
    # Deferred: Brevitas's graph tools take a second to import, and warn.
    from brevitas.graph.gptq import gptq_mode

    called = _in_order(model, calibration, lambda module: isinstance(module, INTEGER_PRODUCTS))
    with gptq_mode(model, create_weight_orig=False) as mode:
        for _ in called:
            mode.model(calibration)
            mode.update()
    vars(model).pop("forward", None)  # Brevitas leaves what it had put there


def _correct_biases(model: nn.Module, float_model: nn.Module, calibration: Tensor) -> None:
    inside = tuple(f"{name}." for name, module in model.named_modules() if isinstance(module, IntegerRecurrent))
    names = [name for name in _in_order(model, calibration, _adds_bias) if not name.startswith(inside or ("\0",))]
    wanted = _means(float_model, names, calibration)
    for name in names:
        found = _means(model, [name], calibration)
        module: Any = model.get_submodule(name)
        module.bias.copy_(_as_stored(module) + wanted[name] - found[name])


def _as_stored(module: Any) -> Tensor:
    """Return a layer's bias; of a product, rounded to whole steps of its accumulator, as it was measured."""
    integers = quantisation_of(module)
    if integers is None or integers.bias is None:
        return module.bias
    return integers.bias * (integers.weight_scale * integers.input_grid.scale).flatten()


def _adds_bias(module: nn.Module) -> bool:
    return isinstance(module, (*INTEGER_PRODUCTS, *NORMS)) and module.bias is not None


def _in_order(model: nn.Module, calibration: Tensor, wanted: Callable[[nn.Module], bool]) -> list[str]:
    """Return the names of some modules in the order in which they first run."""
    found: dict[str, None] = {}
    _listen(model, [name for name, module in model.named_modules() if wanted(module)], calibration[:1],
            lambda name, _: found.setdefault(name))  # fmt: skip
    return list(found)


def _means(model: nn.Module, names: list[str], calibration: Tensor) -> dict[str, Tensor]:
    """Return the mean output of each channel of some modules, by their names."""
    sums: dict[str, list[Tensor]] = {name: [] for name in names}

    def keep(name: str, output: Tensor) -> None:
        axis = output.ndim - 1 if isinstance(model.get_submodule(name), nn.Linear) else 1
        sums[name].append(output.transpose(0, axis).flatten(1).mean(dim=1))

    _listen(model, names, calibration, keep)
    return {name: torch.stack(found).mean(dim=0) for name, found in sums.items()}


def _listen(model: nn.Module, names: list[str], inputs: Tensor, keep: Callable[[str, Tensor], object]) -> None:
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, output, name=name: _kept(keep, name, output)
        )
        for name in names
    ]
    try:
        model(inputs)
    finally:
        for handle in handles:
            handle.remove()


def _kept(keep: Callable[[str, Tensor], object], name: str, output: Any) -> None:
    keep(name, value_of(output))
