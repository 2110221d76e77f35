"""Integer arithmetic while counting: the stored constants of quantised layers, accumulators, grids of results.

Brevitas is asked through `students.quantize.reading`, only for a model that holds its modules: it is slow to import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from energy_models.workload import Arithmetic, WeightForm
from students.deploy import fixed_point
from students.layers.grid import SPIKES, Constant, Grid, signed_bits

BIAS_BITS = 32
"""Width of a bias on an accumulator's grid [bits]."""

FLOAT_ACCUMULATOR_BITS = 32

MULTIPLIER_BITS = fixed_point.MULTIPLIER_BITS + fixed_point.SHIFT_BITS
"""One requantisation constant: a multiplier and its shift in one word [bits]."""


def reader(model: nn.Module) -> Any | None:
    """Return `students.quantize.reading` if a model holds Brevitas modules."""
    kinds = {type(module) for module in model.modules()}
    if not any(base.__module__.partition(".")[0] == "brevitas" for kind in kinds for base in kind.__mro__):
        return None
    from students.quantize import reading

    return reading


@dataclass(frozen=True, slots=True)
class NamedConstant:
    """A constant with the name of the parameter it was quantised from."""

    name: str
    constant: Constant


class Constants:
    """The integers of quantised weights and biases, found by the memory their values lie in."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[StorageWeakRef, NamedConstant]] = {}
        self._widened: dict[int, tuple[StorageWeakRef, int]] = {}

    def note(self, values: Tensor, name: str, constant: Constant) -> None:
        """Remember what `values` stand for while they live."""
        reference = StorageWeakRef(values.untyped_storage())
        self._found[reference.cdata] = reference, NamedConstant(name, constant)
        if len(self._found) > 1000:
            self._found = {key: one for key, one in self._found.items() if not one[0].expired()}

    def note_widened(self, copy: Tensor, original: Tensor) -> None:
        """Note that a constant is a copy of narrower stored floats: it is stored as they are."""
        memory = copy.untyped_storage()
        self._widened[memory._cdata] = StorageWeakRef(memory), self.float_bits(original)

    def float_bits(self, tensor: Tensor) -> int:
        """Return the width that floats are stored with, or those that they are a wider copy of [bits]."""
        known = self._widened.get(tensor.untyped_storage()._cdata) if self._widened else None
        return tensor.element_size() * 8 if known is None or known[0].expired() else known[1]

    def find(self, tensor: Tensor) -> NamedConstant | None:
        """Return what a tensor, or a view of it, stands for; None where it is no quantised constant."""
        known = self._found.get(tensor.untyped_storage()._cdata) if self._found else None
        return None if known is None else known[1]

    def integers(self, tensor: Tensor) -> Tensor | None:
        """Return the integers of a quantised constant or of a view of it, int64 in the shape of `tensor`."""
        known = self.find(tensor)
        if known is None:
            return None
        values = known.constant.values.contiguous()
        return values.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


@dataclass(frozen=True, slots=True)
class ProductFormat:
    """Number formats of a product.

    Parameters
    ----------
    arithmetic : {'float', 'integer'}
    weight_bits, bias_bits, accumulator_bits : int
    form : {'graded', 'ternary', 'binary'}
    scales : int
        Scales of its output: one, or one per channel.
    """

    arithmetic: Arithmetic
    weight_bits: int
    bias_bits: int
    accumulator_bits: int
    form: WeightForm = "graded"
    scales: int = 1


def product_format(
    tracer: Any, weight: Tensor, bias: Tensor | None, codes: Grid | None, transposed_groups: int = 0
) -> ProductFormat:
    """Return a product's formats: integer where its weights are integers and its input is on the grid `codes`.

    Integer weights on a float signal are stored as integers and multiplied as the floats they stand for. A transposed
    product (`transposed_groups` of them) has a bound: as if every tap fell on one output, which a stride prevents.
    """
    known = tracer.constants.find(weight)
    noted = None if bias is None else tracer.constants.find(bias)
    bias_bits = 0 if bias is None else BIAS_BITS if noted is None else noted.constant.bits
    if known is None:
        width = 0 if bias is None else noted.constant.bits if noted else tracer.constants.float_bits(bias)
        return ProductFormat("float", tracer.constants.float_bits(weight), width, FLOAT_ACCUMULATOR_BITS)
    constant = known.constant
    scales = constant.scale.numel()
    if codes is None:
        return ProductFormat("float", constant.bits, bias_bits, FLOAT_ACCUMULATOR_BITS, constant.form, scales)
    key = ("accumulator", tracer.weights_key(weight), tuple(weight.shape), codes, bias is None)
    if key not in tracer.cache:
        levels = tracer.constants.integers(weight)
        if transposed_groups:  # (inputs, outputs of a group, taps) to (outputs, inputs of a group and taps)
            levels = levels.reshape(transposed_groups, -1, *levels.shape[1:]).transpose(1, 2).flatten(0, 1)
        levels = levels.flatten(1)
        offset = None if bias is None else bias_integers(bias, constant.scale, codes)
        tracer.cache[key] = signed_bits(*accumulator_range(levels, codes, offset))
    return ProductFormat("integer", constant.bits, bias_bits, tracer.cache[key], constant.form, scales)


def bias_integers(bias: Tensor, weight_scale: Tensor, codes: Grid) -> Tensor:
    """Return a bias on the grid of its accumulator, int64; a float bias is rounded to it."""
    step = (weight_scale.double() * codes.scale).flatten()
    step = step if step.numel() in (1, bias.numel()) else step.repeat(bias.numel() // step.numel())
    return (bias.detach().double() / step).round().to(torch.int64)


def accumulator_range(weights: Tensor, codes: Grid, bias: Tensor | None) -> tuple[int, int]:
    """Return the least and the greatest sum that integer weights can reach with any input on a grid.

    ``greatest = max over outputs of (bias + sum of w+ * highest + sum of w- * lowest)``, the least with the ends of the
    grid exchanged; `w+` and `w-` are the positive and negative weights. Both are attained.

    Parameters
    ----------
    weights : Tensor of int64, shape (outputs, weights per output)
    codes : Grid
        Of the input.
    bias : Tensor of int64, shape (outputs,), or None
    """
    positive, negative = weights.clamp_min(0).sum(1), weights.clamp_max(0).sum(1)
    offset = torch.zeros_like(positive) if bias is None else bias
    lowest = offset + positive * codes.lowest + negative * codes.highest
    highest = offset + positive * codes.highest + negative * codes.lowest
    return int(lowest.min()), int(highest.max())


def signal_accumulator_bits(left: Grid | None, right: Grid | None, terms: int) -> int:
    """Return the accumulator's width of a product of two signals on grids, `terms` a sum [bits]; 0 off the grid."""
    product = codes_of_product((left, right))
    return 0 if product is None else signed_bits(terms * product.lowest, terms * product.highest)


def table_codes(table: Constant) -> Grid | None:
    """Return the grid of the rows of a quantised table; None where its scale differs along it."""
    if table.scale.numel() != 1:
        return None
    grid = Grid.holding(int(table.values.min()), int(table.values.max()), float(table.scale))
    return replace(grid, bits=max(grid.bits, table.bits))


def codes_of_sum(codes: Sequence[Grid | None]) -> Grid | None:
    """Return the grid of a sum of signals on grids of one scale; None where they are not."""
    known = [one for one in codes if one is not None]
    if len(known) != len(codes) or len({one.scale for one in known}) != 1:
        return None
    return Grid.holding(sum(one.lowest for one in known), sum(one.highest for one in known), known[0].scale)


def codes_of_difference(codes: Sequence[Grid | None]) -> Grid | None:
    """Return the grid of one signal minus another on grids of one scale; None where they are not."""
    first, *others = codes
    turned = [None if one is None else Grid.holding(-one.highest, -one.lowest, one.scale) for one in others]
    return codes_of_sum((first, *turned))


def codes_of_product(codes: Sequence[Grid | None]) -> Grid | None:
    """Return the grid of an elementwise product of two signals on grids; None where one is not."""
    known = [one for one in codes if one is not None]
    if len(known) != len(codes):
        return None
    left, right = known
    ends = [a * b for a in (left.lowest, left.highest) for b in (right.lowest, right.highest)]
    return Grid.holding(min(ends), max(ends), left.scale * right.scale)


_RESULTS: dict[str, Callable[[Sequence[Grid | None]], Grid | None]] = {
    "add": codes_of_sum,
    "sub": codes_of_difference,
    "mul": codes_of_product,
    "multiply": codes_of_product,
}


def result_codes(name: str, codes: Sequence[Grid | None]) -> Grid | None:
    """Return the grid of an elementwise result of two signals, where integers make it exactly; spikes stay numbers."""
    if name not in _RESULTS or len(codes) != 2 or any(one is None or one == SPIKES for one in codes):
        return None
    return _RESULTS[name](codes)


def on_different_grids(signals: Sequence[tuple[Grid | None, int]]) -> bool:
    """Return whether two integer signals, each a grid or a width off one, need a common grid before they are added."""
    if len(signals) != 2:
        return False
    (left, word), (right, other) = signals
    if SPIKES in (left, right):  # a spike adds a constant to a membrane
        return False
    if left is not None and right is not None:
        return left.scale != right.scale
    return (left is not None and other > 0) or (right is not None and word > 0)


def codes_of_average(codes: Grid | None, count: int) -> Grid | None:
    """Return the grid of a sum over `count` elements whose scale holds the division; None off the grid."""
    if codes is None or codes == SPIKES:
        return None
    return Grid.holding(count * codes.lowest, count * codes.highest, codes.scale / count)
