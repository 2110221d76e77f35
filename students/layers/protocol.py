"""The layers a family may be built from, whatever its form.

One family definition serves every form: it asks a `Layers` object for its parts, neurons included. All signals are
``(batch, channels, steps)``, or ``(batch, features)`` after flattening. Between its products a family uses only
`flatten`, `transpose` and the modules made here, so that hooks see all the arithmetic and quantised tensors survive.

Order inside a block: product, batch norm, ReLU. A batch norm therefore always folds into the product before it.
"""

from __future__ import annotations

from typing import Literal, Protocol

from torch import Tensor, nn

from energy_models.errors import StudentError
from students.neurons.models import NeuronModel
from students.spec import Shape

Edge = Literal["first", "inner", "last"]
Bias = Literal["learned", "none"]
Padding = Literal["same", "causal"] | int
Sign = Literal["signed", "unsigned"]
RecurrentKind = Literal["gru", "lstm"]


def resolve_padding(padding: Padding, kernel: int) -> tuple[int, int]:
    """Return how many zero steps go before and after the signal.

    Parameters
    ----------
    padding : 'same', 'causal' or int
        ``same`` keeps the length and puts the odd step after (as torch does); ``causal`` keeps the length and pads
        only before, so that no output sees the future; an integer pads both sides by so many steps.
    kernel : int
        Taps.

    Raises
    ------
    StudentError
        Negative padding, or a kernel without taps.
    """
    if kernel < 1:
        raise StudentError(f"a kernel of {kernel} taps", where="conv1d", remedy="Use at least one tap")
    if padding == "same":
        return (kernel - 1) // 2, kernel - 1 - (kernel - 1) // 2
    if padding == "causal":
        return kernel - 1, 0
    if padding < 0:
        raise StudentError(f"padding of {padding} steps", where="conv1d", remedy="Use 'same', 'causal' or 0, 1, 2 ...")
    return padding, padding


class Layers(Protocol):
    """Makes a family's layers in one form. `edge` marks the first and last products of the network.

    A form that has no such layer raises `StudentError` with what was asked for.
    """

    def quantise_input(self) -> nn.Module:
        """Return what puts the raw input on a (signed) grid; the first module of every family."""
        ...

    def requantise(self) -> nn.Module:
        """Return what puts a signed signal on the activation grid between two products without a ReLU between."""
        ...

    def conv1d(
        self, inputs: int, outputs: int, kernel: int, *, padding: Padding, stride: int = 1, dilation: int = 1,
        bias: Bias = "learned", edge: Edge = "inner",
    ) -> nn.Module:
        """Return a convolution ``(batch, inputs, steps)`` to ``(batch, outputs, steps)``; kernel 1 is pointwise."""
        ...

    def depthwise_conv1d(
        self, channels: int, kernel: int, *, padding: Padding, bias: Bias = "none", edge: Edge = "inner"
    ) -> nn.Module:
        """Return a convolution with one filter per channel, stride 1."""
        ...

    def filter_bank(self, channels: int, taps: Tensor, *, padding: Padding, edge: Edge = "first") -> nn.Module:
        """Return given filters, shape (filters, length), on every channel: ``(batch, channels * filters, steps)``.

        They are never learned. A channel's filters stand side by side.
        """
        ...

    def linear(self, inputs: int, outputs: int, *, bias: Bias = "learned", edge: Edge = "inner") -> nn.Module:
        """Return a product over the last axis."""
        ...

    def batchnorm(self, channels: int) -> nn.Module:
        """Return a batch norm over channels, foldable into the product before it."""
        ...

    def relu(self) -> nn.Module:
        """Return a ReLU whose output is on the (unsigned) activation grid."""
        ...

    def delays(self, channels: int, most: int) -> nn.Module:
        """Return a learned delay of up to `most` steps for each channel; a signal on a grid stays on it."""
        ...

    def average_pool(self, kernel: int, stride: int | None = None, *, sign: Sign = "unsigned") -> nn.Module:
        """Return a mean over `kernel` steps every `stride` steps (default `kernel`); incomplete ends are dropped.

        `sign` is ``signed`` where the signal may be negative, as it never is behind a ReLU.
        """
        ...

    def dropout(self, probability: float) -> nn.Module:
        """Return a dropout; nothing when deployed."""
        ...

    def add(self, *, edge: Edge = "inner") -> nn.Module:
        """Return a module that sums two signals on a grid that both share.

        `edge` ``last``: the sum is what the network puts out, or is read as such.
        """
        ...

    def matmul(self) -> nn.Module:
        """Return a module that multiplies two signals on grids, ``left @ right`` (attention)."""
        ...

    def linear_attention(self, width: int) -> nn.Module:
        """Return causal attention with ReLU in place of the softmax, of queries, keys and values side by side.

        ``(batch, 3 width, steps)`` becomes ``(batch, width, steps)``.
        """
        ...

    def softmax(self) -> nn.Module:
        """Return a softmax over the last axis, whose output is on an unsigned grid."""
        ...

    def recurrent(self, kind: RecurrentKind, inputs: int, hidden: int, *, edge: Edge = "inner") -> nn.Module:
        """Return a recurrent layer ``(batch, inputs, steps)`` to ``(batch, hidden, steps)``."""
        ...

    def neurons(self, channels: int, model: NeuronModel) -> nn.Module:
        """Return neurons that start at zero in each call: currents ``(batch, channels, steps)`` to their signal."""
        ...

    def output_scale(self, outputs: int) -> nn.Module:
        """Return the last module of a regression: physical units."""
        ...

    def adopt(self, network: nn.Module, shape: Shape) -> nn.Module:
        """Return a network made of torch's own layers in this form; it is not to be used any more."""
        ...
