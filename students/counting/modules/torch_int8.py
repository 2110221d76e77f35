"""Layers that torch itself quantised (`torch.ao`): weights of 8 bits, signals of 8 bits with a zero point.

A layer is counted from its real input and output: the product on the numbers they stand for, then the requantisation
of its accumulators. A dynamic layer first finds the range of its input (two comparisons an element), quantises it, and
gives floats: one multiplication by the scales an output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from energy_models.workload import Kind
from students.counting.axes import BatchAxisError
from students.counting.dispatch import Tracer
from students.counting.modules.neuron_products import inside
from students.counting.modules.neurons import ModuleCounter
from students.counting.records import Work
from students.counting.rules import decodes_in, grid_of, numbers_of, put_on_grid, record_dequantised
from students.layers.grid import Constant

Product = Callable[[Any, Tensor, Tensor, Tensor | None], Tensor]


def _linear(_: Any, signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.linear(signal, weight, bias)


def _convolution(module: Any, signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[weight.dim() - 3]
    return convolve(signal, weight, bias, module.stride, module.padding, module.dilation, module.groups)


def _transposed(module: Any, signal: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    convolve = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)[weight.dim() - 3]
    how = module.stride, module.padding, module.output_padding, module.groups, module.dilation
    return convolve(signal, weight, bias, *how)


_CLIPPED, _TABLE = "clipped", "table"
_AFTER: Mapping[str, str] = {"ReLU": _CLIPPED, "LeakyReLU": _TABLE, "Tanh": _TABLE}
PRODUCTS: Mapping[str, tuple[Product, str]] = {
    **{f"Linear{after}": (_linear, how) for after, how in {"": "", **_AFTER}.items()},
    **{f"Conv{rank}d": (_convolution, "") for rank in (1, 2, 3)},
    **{f"ConvReLU{rank}d": (_convolution, _CLIPPED) for rank in (1, 2, 3)},
    **{f"ConvTranspose{rank}d": (_transposed, "") for rank in (1, 2, 3)},
}
"""Layers with weights by the name of their class, and what stands between product and requantisation."""
TABLES = frozenset(("ELU", "Hardswish", "LeakyReLU", "Sigmoid"))
"""Functions of one code: tables of as many entries as there are codes."""


def int8_counter(module: nn.Module) -> ModuleCounter | None:
    """Return how a module that torch quantised is counted whole; None for any other, and where it is followed."""
    kind = type(module)
    if not kind.__module__.startswith(("torch.ao.nn.quantized.", "torch.ao.nn.intrinsic.quantized.")):
        return None
    dynamic = "dynamic" in kind.__module__
    if kind.__name__ in PRODUCTS:
        return _dynamic if dynamic else _static
    if dynamic:
        return None
    if kind.__name__ in {"Quantize", "DeQuantize"}:
        return _quantise if kind.__name__ == "Quantize" else _dequantise
    return _table if kind.__name__ in TABLES else None


def weights_of(tracer: Tracer, name: str, stored: Tensor) -> Tensor:
    """Return weights that torch quantised as the numbers they stand for; their integers are noted under a name."""
    key = ("int8", name)
    if key not in tracer.cache:
        if stored.dtype is not torch.qint8:
            raise NotImplementedError(f"weights of {stored.dtype}")
        tracer.cache[key] = stored.dequantize(), _constant(stored)
    values, constant = tracer.cache[key]
    tracer.constants.note(values, name, constant)
    return values


def _constant(stored: Tensor) -> Constant:
    """Return the integers of weights on one scale, or on one for each output."""
    if stored.qscheme() in {torch.per_tensor_affine, torch.per_tensor_symmetric}:
        scale, zero = torch.tensor(stored.q_scale()), torch.tensor(stored.q_zero_point())
    else:
        shape = [1] * stored.dim()
        shape[stored.q_per_channel_axis()] = -1
        scale = stored.q_per_channel_scales().reshape(shape)
        zero = stored.q_per_channel_zero_points().reshape(shape)
    return Constant(stored.int_repr().to(torch.int64) - zero.to(torch.int64), 8, scale, "graded")


def _multiplied(tracer: Tracer, module: Any, signal: Tensor) -> Tensor:
    """Count the product of a layer with a signal on a grid; return what stands for its accumulators."""
    if getattr(module, "padding_mode", "zeros") != "zeros":
        raise NotImplementedError(f"padding by {module.padding_mode}")
    weight, bias = weights_of(tracer, f"{tracer.path}.weight".lstrip("."), module.weight()), module.bias()
    bias = None if bias is None else bias.detach()
    with inside(tracer, "product", module):
        return PRODUCTS[type(module).__name__][0](module, signal, weight, bias)


def _static(tracer: Tracer, module: Any, signal: Tensor, output: Tensor) -> None:
    codes, after = grid_of(output), PRODUCTS[type(module).__name__][1]
    if codes is None:
        raise NotImplementedError("an output with several scales")
    made = _multiplied(tracer, module, numbers_of(tracer, signal))
    kind: Kind = "activation" if after == _CLIPPED else "quantise"
    function = "table" if after == _TABLE else "clip"
    put_on_grid(tracer, (f"{tracer.path}.{kind}".lstrip("."), kind), (made, codes, output), function)


def found_range(tracer: Tracer, name: str, signal: Tensor, *, bits: int) -> Tensor:
    """Count the search for a signal's least and greatest number and its quantisation; return the numbers on that grid.

    The grid is one of 8 bits, of which 7 or 8 are used.

    Raises
    ------
    BatchAxisError
        Several decodes in a call: deployed, the range is that of one.
    """
    if tracer.batch > 1:
        tracer.branched = True
        raise BatchAxisError("the scale of its input is found from all decodes of a batch")
    info = tracer.info(signal)
    quantised = torch.quantize_per_tensor_dynamic(signal, torch.quint8, bits == 7)
    codes = grid_of(quantised)
    if codes is None:
        raise NotImplementedError("an input with several scales")
    shape, each = tracer.shape(signal, info), signal.numel() // decodes_in(tracer, info)
    search = Work(
        kind="quantise", arithmetic="float", input_shape=shape, output_shape=(2,), when=tracer.when(info),
        counts={"op:compare": 2 * each}, activation_bits=info.bits(signal), output_bits=info.bits(signal),
    )  # fmt: skip
    tracer.record(f"{name}.range".lstrip("."), search)
    numbers = quantised.dequantize()
    put_on_grid(tracer, (f"{name}.quantise".lstrip("."), "quantise"), (signal, codes, numbers), "clip")
    return numbers


def _dynamic(tracer: Tracer, module: Any, signal: Tensor, output: Tensor) -> None:
    """Count a layer that finds its input's scale while it runs."""
    bits = 7 if module.version is None or module.version >= 4 else 8
    numbers = found_range(tracer, f"{tracer.path}.input", signal, bits=bits)
    made = _multiplied(tracer, module, numbers)
    record_dequantised(tracer, f"{tracer.path}.dequantise".lstrip("."), made, output)
    if PRODUCTS[type(module).__name__][1] == _CLIPPED:
        with inside(tracer, "relu", module):
            functional.relu(output)


def _quantise(tracer: Tracer, module: Any, signal: Tensor, output: Tensor) -> None:
    codes = grid_of(output)
    if codes is None:
        raise NotImplementedError("a signal with several scales")
    put_on_grid(tracer, (tracer.path, "quantise"), (signal, codes, output), "clip")


def _dequantise(tracer: Tracer, module: Any, signal: Tensor, output: Tensor) -> None:
    if signal.is_quantized:
        record_dequantised(tracer, tracer.path, signal, output)
    else:
        tracer.set_info(output, tracer.info(signal))


def _table(tracer: Tracer, module: Any, signal: Tensor, output: Tensor) -> None:
    codes = grid_of(output)
    if codes is None:
        raise NotImplementedError("an output with several scales")
    put_on_grid(tracer, (tracer.path, "activation"), (numbers_of(tracer, signal), codes, output), "table")
