"""Quantisers of QONNX, and the pairs of ``QuantizeLinear`` and ``DequantizeLinear`` that `rewrite` turns into them.

QONNX (Pappalardo et al. 2022, arXiv 2206.07527): ``q = round(clip(x / scale + zero, low, high))`` and
``y = (q - zero) * scale``. ONNX rounds before it adds the zero point; the rest is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from energy_models.workload import WeightForm
from students.interchange.graph import Builder, Node, Run, UnsupportedVariant
from students.layers.grid import Constant, Grid

OWN_DOMAIN = "qonnx.custom_op.general"
"""Of operators that only the readers of other formats write."""
QONNX_DOMAINS = frozenset(("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"))

FUNCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "Relu": torch.relu, "Sigmoid": torch.sigmoid, "Tanh": torch.tanh,
}  # fmt: skip
"""Activation functions merged into a quantiser that follows: its clip is the first, a table holds the others."""

MOST_BITS = 32
"""Of a quantiser; codes are computed in single precision."""
DYNAMIC_BITS = 8
DYNAMIC_TOP = 255
"""Width and greatest code of ONNX's dynamic quantiser."""

ROUNDINGS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "ROUND": torch.round, "HALF_EVEN": torch.round, "CEIL": torch.ceil, "FLOOR": torch.floor, "DOWN": torch.trunc,
    "UP": lambda x: x.sign() * x.abs().ceil(), "HALF_UP": lambda x: x.sign() * (x.abs() + 0.5).floor(),
    "HALF_DOWN": lambda x: x.sign() * (x.abs() - 0.5).ceil(),
}  # fmt: skip


class Quantiser(nn.Module):
    """A node that puts a signal, or stored weights, on a grid; what it does is counted under its name.

    Parameters
    ----------
    node : Node
        Inputs: values, scale, zero point, and the width where the operator has one; all but the values are stored.
    bits : int
    ends : (int, int)
        Least and greatest code.
    sign : {'signed', 'unsigned'}
    """

    names_layers = True
    stores = frozenset(range(1, 6))
    scale: Tensor
    zero_point: Tensor

    def __init__(self, node: Node, bits: int, ends: tuple[int, int], sign: Literal["signed", "unsigned"]) -> None:
        super().__init__()
        self.register_buffer("scale", stored(node, 1, "scale"))
        zero = node.constant(2) if node.has(2) and node.operator != "BipolarQuant" else None
        self.register_buffer("zero_point", torch.zeros(()) if zero is None else zero.to(torch.float32))
        self.bits, self.low, self.high, self.signed = bits, ends[0], ends[1], sign == "signed"
        self.rounding = rounding_of(node)
        self.before = str(node.attribute("before", ""))
        self.rounds_first = bool(node.attribute("rounds_first", 0))

    def codes(self, values: Tensor) -> Tensor:
        """Return the codes of values, as floats of the same shape."""
        steps = values / self.scale
        if self.rounds_first:
            return torch.clamp(self.rounding(steps) + self.zero_point, self.low, self.high)
        return self.rounding(torch.clamp(steps + self.zero_point, self.low, self.high))

    def forward(self, values: Tensor, *_: Tensor | None) -> Tensor:
        """Return the values on the grid."""
        values = FUNCTIONS[self.before](values) if self.before else values
        return (self.codes(values) - self.zero_point) * self.scale

    def grid(self) -> Grid | str:
        """Return the grid of its output, or why that is no single one."""
        if self.scale.numel() != 1 or self.zero_point.numel() != 1:
            return "one scale per channel of a signal is no single grid"
        span: Literal["narrow", "full"] = "narrow" if self.signed and self.low == -self.high else "full"
        return Grid(self.bits, float(self.scale), self.signed, round(float(self.zero_point)), span)

    def constant(self, values: Tensor) -> Constant:
        """Return the integers of stored values."""
        levels = (self.codes(values) - self.zero_point).round().to(torch.int64)
        return Constant(levels, self.bits, self.scale, form_of(self.bits, self.low, self.high, self.zero_point))


class Bipolar(Quantiser):
    """Values to -1 or 1 times the scale; zero is 1."""

    def __init__(self, node: Node) -> None:
        super().__init__(node, 1, (-1, 1), "signed")

    def codes(self, values: Tensor) -> Tensor:
        """Return -1 or 1."""
        return torch.where(values >= 0, 1.0, -1.0).to(values.dtype)


class Dequantiser(Quantiser):
    """Weights stored as integer codes."""

    def codes(self, values: Tensor) -> Tensor:
        """Return the stored codes within their range, as floats."""
        return torch.clamp(values.to(torch.float32), self.low, self.high)


class Truncation(Quantiser):
    """A signal on a grid shifted right to fewer bits: ``y = round(clip((x / scale + zero) / 2^k)) 2^k scale``."""

    def __init__(self, node: Node) -> None:
        if len(node.inputs) != 6:
            raise UnsupportedVariant("its first version, which does not say whether its codes are signed")
        bits = _width(node, 5)
        ends, sign = _ends(node, bits)
        super().__init__(node, bits, ends, sign)
        self.register_buffer("input_scale", self.scale)
        self.scale = stored(node, 4, "output scale")
        self.shift = float((self.scale / self.input_scale).log2().round().exp2())

    input_scale: Tensor

    def codes(self, values: Tensor) -> Tensor:
        """Return the shifted codes."""
        steps = torch.round(values / self.input_scale + self.zero_point) / self.shift
        return self.rounding(torch.clamp(steps, self.low, self.high))

    def forward(self, values: Tensor, *_: Tensor | None) -> Tensor:
        """Return the values on the coarser grid."""
        return (self.codes(values) - self.zero_point / self.shift) * self.scale


class OnGrid(Quantiser):
    """A signal that is on its grid already, as a state that starts from zero and is put there by each step."""

    def forward(self, values: Tensor, *_: Tensor | None) -> Tensor:
        """Return the values as they are."""
        return values


class Saturated(Quantiser):
    """A sum of numbers on its grid that saturates at its ends; no function of it is a table of all its values."""

    def forward(self, values: Tensor, *_: Tensor | None) -> Tensor:
        """Return the values between the ends."""
        return torch.clamp(values, self.low * float(self.scale), self.high * float(self.scale))


class DynamicCodes(Quantiser):
    """Codes of a signal less their zero point, by a scale and a zero point found from it: a grid of step 1."""

    stores = frozenset()

    def __init__(self, node: Node) -> None:
        alone = replace(node, inputs=(node.inputs[0], "one"), constants={"one": torch.ones(())}, attributes={})
        super().__init__(alone, DYNAMIC_BITS, (0, DYNAMIC_TOP), "unsigned")

    def forward(self, values: Tensor, *found: Tensor | None) -> Tensor:
        """Return ``clip(round(values / scale) + zero) - zero``."""
        scale, zero = found
        assert scale is not None and zero is not None  # noqa: S101, PT018  `rewrite_integer` writes both
        return torch.clamp(torch.round(values / scale) + zero, 0, DYNAMIC_TOP) - zero


def _dynamic_range(_: Node) -> Run:
    """Scale and zero point that take the values of one example, and zero, to 0..255."""

    def run(signal: Tensor) -> tuple[Tensor, Tensor]:
        axes = list(range(1, signal.dim()))
        low = torch.clamp(signal.amin(axes, keepdim=True), max=0.0)
        high = torch.clamp(signal.amax(axes, keepdim=True), min=0.0)
        scale = (high - low) / DYNAMIC_TOP
        scale = torch.where(scale == 0, 1.0, scale)
        return scale, torch.clamp(torch.round(-low / scale), 0, DYNAMIC_TOP)

    return run


def dynamic_builders() -> dict[str, Builder]:
    """Return the builders of the nodes that `rewrite_integer` makes of a quantiser whose scale is found as it runs."""
    return {"DynamicRange": _dynamic_range, "DynamicCodes": DynamicCodes}


def stored(node: Node, place: int, what: str) -> Tensor:
    """Return a stored input as floats; refuse one that is computed."""
    found = node.constant(place)
    if found is None:
        raise UnsupportedVariant(f"its {what} is computed")
    return found.to(torch.float32)


def rounding_of(node: Node) -> Callable[[Tensor], Tensor]:
    """Return how a node rounds."""
    name = str(node.attribute("rounding_mode", "FLOOR" if node.operator == "Trunc" else "ROUND")).upper()
    if name not in ROUNDINGS:
        raise UnsupportedVariant(f"rounding_mode = {name!r}")
    return ROUNDINGS[name]


def form_of(bits: int, low: int, high: int, zero_point: Tensor) -> WeightForm:
    """Return which multiplications a weight's format leaves: binary and ternary ones are sign-adds."""
    if bits == 1 and low == -1:
        return "binary"
    return "ternary" if (low, high) == (-1, 1) and not bool(zero_point.any()) else "graded"


def _ends(node: Node, bits: int) -> tuple[tuple[int, int], Literal["signed", "unsigned"]]:
    """Return least and greatest code as QONNX defines them, and their sign."""
    narrow = int(node.attribute("narrow", 0))
    if not node.attribute("signed", 1):
        return (0, 2**bits - 1 - narrow), "unsigned"
    return (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1), "signed"


def _width(node: Node, place: int) -> int:
    """Return the width that a node is given: one whole number [bit]."""
    width = stored(node, place, "width")
    least, most = (float(one) for one in width.aminmax()) if width.numel() else (0.0, 0.0)
    if least != most or not 1 <= most <= MOST_BITS or not most.is_integer():
        shown = ", ".join(f"{one:g}" for one in width.flatten()[:4].tolist())
        raise UnsupportedVariant(f"a width of {shown} bits, not one whole number from 1 to {MOST_BITS}")
    return int(most)


def _quant(node: Node) -> nn.Module:
    bits = _width(node, 3)
    if bits == 1 and node.attribute("signed", 1):
        return Bipolar(node)
    ends, sign = _ends(node, bits)
    return Quantiser(node, bits, ends, sign)


def _check_scales(node: Node) -> None:
    """Refuse scales or zero points of stored weights that are neither one nor one for each index of an axis."""
    weights = node.constant(0)
    for place in (1, 2):
        values = node.constant(place)
        if weights is None or values is None or values.numel() == 1:
            continue
        pairs = zip(values.shape, weights.shape, strict=False)
        if values.dim() != weights.dim() or any(one not in {1, size} for one, size in pairs):
            what = "scales" if place == 1 else "zero points"
            raise UnsupportedVariant(f"{values.numel()} {what} for weights of shape {tuple(weights.shape)}")


def _paired(kind: type[Quantiser]) -> Builder:
    def build(node: Node) -> nn.Module:
        node.expect("block_size", 0)
        _check_scales(node)
        low, high = node.attributes["low"], node.attributes["high"]
        sign: Literal["signed", "unsigned"] = "signed" if low < 0 or node.attributes["signed"] else "unsigned"
        return kind(node, node.attributes["bits"], (low, high), sign)

    return build


def builders() -> dict[str, Builder]:
    """Return the builders by operator of the QONNX domain; the last three are written by `rewrite` and readers only."""
    return {
        "Quant": _quant,
        "IntQuant": _quant,
        "BipolarQuant": Bipolar,
        "Trunc": Truncation,
        "QuantisedPair": _paired(Quantiser),
        "OnGrid": _paired(OnGrid),
        "DequantisedWeights": _paired(Dequantiser),
    }
