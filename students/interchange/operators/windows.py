"""Convolutions and pooling: their windows, padding and strides."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from students.interchange.graph import Builder, Node, Run, UnsupportedVariant

CONVOLUTIONS = (torch.conv1d, torch.conv2d, torch.conv3d)
TRANSPOSED = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)
MAXIMA = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
AVERAGES = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)

Amounts = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Window:
    """A sliding window: sizes per axis, and zeros before and after each axis, or how to find them."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    automatic: str

    def amounts(self, lengths: Sequence[int]) -> Amounts:
        """Return the padding (before, after) per axis for a signal of these lengths."""
        if not self.automatic.startswith("SAME"):
            return list(self.pads)
        found: Amounts = []
        for length, kernel, stride, dilation in zip(lengths, self.kernel, self.stride, self.dilation, strict=True):
            outputs = math.ceil(length / stride)
            total = max((outputs - 1) * stride + dilation * (kernel - 1) + 1 - length, 0)
            less, more = total // 2, total - total // 2
            found.append((less, more) if self.automatic == "SAME_UPPER" else (more, less))
        return found


def window(node: Node, kernel: Sequence[int] | None) -> Window:
    """Return a node's window; `kernel` is the size its weight has, where it has one."""
    sizes = tuple(node.attribute("kernel_shape", kernel) or ())
    if not sizes or len(sizes) > 3:
        raise UnsupportedVariant(f"a window over {len(sizes)} axes")
    ones, zeros = [1] * len(sizes), [0] * 2 * len(sizes)
    pads = node.attribute("pads", zeros)
    before, after = pads[: len(sizes)], pads[len(sizes) :]
    return Window(
        sizes,
        tuple(node.attribute("strides", ones)),
        tuple(node.attribute("dilations", ones)),
        tuple(zip(before, after, strict=True)),
        node.attribute("auto_pad", "NOTSET"),
    )


def _symmetric(amounts: Amounts) -> bool:
    return all(before == after for before, after in amounts)


def _wide(amounts: Amounts, sized: Window) -> bool:
    """True where padding exceeds half a window, which torch's pooling does not do itself."""
    return any(2 * before > kernel for (before, _), kernel in zip(amounts, sized.kernel, strict=True))


def _padded(signal: Tensor, amounts: Amounts, value: float = 0.0) -> Tensor:
    """Return the signal with constants around its last axes; torch wants the last axis first."""
    return functional.pad(signal, [size for pair in reversed(amounts) for size in pair], value=value)


def _convolution(node: Node) -> Run:
    groups, known = node.attribute("group", 1), node.constant(1)
    if known is not None:
        window(node, known.shape[2:])  # an impossible window raises on reading

    def run(signal: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        axes, sized = weight.dim() - 2, window(node, weight.shape[2:])
        amounts = sized.amounts(signal.shape[2:])
        if not _symmetric(amounts):
            signal, amounts = _padded(signal, amounts), [(0, 0)] * axes
        padding = [before for before, _ in amounts]
        return CONVOLUTIONS[axes - 1](signal, weight, bias, sized.stride, padding, sized.dilation, groups)

    return run


def _transposed(node: Node) -> Run:
    weight, kernel = node.constant(1), node.attribute("kernel_shape", None)
    if weight is None and kernel is None:
        raise UnsupportedVariant("its weights are computed, and their kernel's shape is not stored")
    kernel = list(weight.shape[2:]) if weight is not None else list(kernel)
    sized, groups, axes = window(node, kernel), node.attribute("group", 1), len(kernel)
    if node.attribute("output_shape", None) is not None or sized.automatic not in {"NOTSET", "VALID"}:
        raise UnsupportedVariant("padding found from an output shape")
    extra = list(node.attribute("output_padding", [0] * axes))
    padding = [before for before, _ in sized.pads]
    extra = [more + before - after for more, (before, after) in zip(extra, sized.pads, strict=True)]
    rooms = [max(one) for one in zip(sized.stride, sized.dilation, strict=True)]
    if any(not 0 <= more < room for more, room in zip(extra, rooms, strict=True)):
        raise UnsupportedVariant(f"asymmetric padding {sized.pads}")

    def run(signal: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        apply = TRANSPOSED[axes - 1]
        return apply(signal, weight, bias, sized.stride, padding, extra, groups, sized.dilation)

    return run


def _max_pool(node: Node) -> Run:
    node.only_output()
    sized, rounding = window(node, None), bool(node.attribute("ceil_mode", 0))

    def run(signal: Tensor) -> Tensor:
        amounts = sized.amounts(signal.shape[2:])
        if not _symmetric(amounts) or _wide(amounts, sized):
            signal, amounts = _padded(signal, amounts, -math.inf), [(0, 0)] * len(amounts)
        padding = [before for before, _ in amounts]
        apply = MAXIMA[len(sized.kernel) - 1]
        return apply(signal, sized.kernel, sized.stride, padding, sized.dilation, ceil_mode=rounding)

    return run


def _average_pool(node: Node) -> Run:
    sized, rounding = window(node, None), bool(node.attribute("ceil_mode", 0))
    counted = bool(node.attribute("count_include_pad", 0))
    if any(step != 1 for step in sized.dilation):
        raise UnsupportedVariant(f"dilations = {list(sized.dilation)}")
    same = sized.automatic.startswith("SAME")
    if (same or not _symmetric(list(sized.pads)) or _wide(list(sized.pads), sized)) and (rounding or not counted):
        raise UnsupportedVariant("this padding is left out of the average, or its last windows are cut")

    def run(signal: Tensor) -> Tensor:
        amounts = sized.amounts(signal.shape[2:])
        if not _symmetric(amounts) or _wide(amounts, sized):
            signal, amounts = _padded(signal, amounts), [(0, 0)] * len(amounts)
        padding = [before for before, _ in amounts]
        apply = AVERAGES[len(sized.kernel) - 1]
        return apply(signal, sized.kernel, sized.stride, padding, rounding, counted)

    return run


def _everywhere(function: str) -> Builder:
    def run(signal: Tensor) -> Tensor:
        axes = list(range(2, signal.dim()))
        return signal.mean(axes, keepdim=True) if function == "mean" else signal.amax(axes, keepdim=True)

    return lambda _: run


def builders() -> dict[str, Builder]:
    """Return the builders by operator."""
    return {
        "Conv": _convolution,
        "ConvTranspose": _transposed,
        "MaxPool": _max_pool,
        "AveragePool": _average_pool,
        "GlobalAveragePool": _everywhere("mean"),
        "GlobalMaxPool": _everywhere("max"),
    }
