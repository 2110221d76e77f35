"""Linear attention: queries, keys and values on their grids, then one node for the steps."""

from __future__ import annotations

from torch import nn

from students.deploy.attention import LinearAttention
from students.deploy.graph import Part, Range
from students.deploy.lowering.builder import Builder, Signal, refused, scalar
from students.deploy.ranges import Floats
from students.kernels.attention_grid import MIXTURE_HIGHEST, fraction_bits
from students.quantize import output_grid_of
from students.quantize.linear_attention import IntegerLinearAttention


def lower_attention(builder: Builder, path: str, module: IntegerLinearAttention, signal: Signal) -> Signal:
    """Return the results of every step, on their grid.

    Raises
    ------
    StudentError
        A signal of another shape, or one that is to be clipped before.
    """
    signal.check_unlimited(path)
    width, output = module.width, output_grid_of(module.output)
    if len(signal.shape) != 2 or signal.shape[0] != 3 * width or output is None:
        raise refused(path, f"linear attention over {width} features of a signal of shape {signal.shape}")
    operands = [
        _operand(builder, f"{path}.{name}", signal, (place * width, width), grid)
        for place, (name, grid) in enumerate((("query", module.query), ("key", module.key), ("value", module.value)))
    ]
    query, key, value = operands
    mixture, name = module.mixture, builder.name(f"{path}.mixture")
    steps, held = signal.shape[1], module.mixture.held(None if builder.stream else signal.shape[1])
    fraction = fraction_bits(mixture.seen[2].bits)
    most = width * held * query.range.highest * key.range.highest * value.range.highest
    found = Range((width, steps), -MIXTURE_HIGHEST, MIXTURE_HIGHEST)
    largest = held * key.range.highest * value.range.highest
    builder.add(
        LinearAttention(
            name, query.node, key.node, value.node, found, Range((width, width), -largest, largest),
            Range((width,), 0, held * key.range.highest), Range((width,), -most, most), mixture.longest, fraction,
        )
    )  # fmt: skip
    means = Signal(name, found, scalar(mixture.step), scalar(0.0))
    return builder.requantise(means, output, f"{path}.output")


def _operand(builder: Builder, path: str, signal: Signal, where: tuple[int, int], module: nn.Module) -> Signal:
    """Return some of the channels on their grid; `where` is the first and how many."""
    first, width = where
    grid = output_grid_of(module)
    if grid is None:
        raise refused(path, "its signal is on no grid")
    name, low, high = builder.name(f"{path}.part"), signal.range.lowest, signal.range.highest
    found = Range((width, *signal.shape[1:]), low, high)
    builder.add(Part(name, signal.node, found, first))
    scale, offset = (_of_channels(one, first, width) for one in (signal.scale, signal.offset))
    return builder.requantise(Signal(name, found, scale, offset), grid, path)


def _of_channels(constants: Floats, first: int, width: int) -> Floats:
    """Return constants of some of the channels, shape (width, ...); one for all stays one."""
    return constants if constants.ndim < 2 or len(constants) == 1 else constants[first : first + width]
