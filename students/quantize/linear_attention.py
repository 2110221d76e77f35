"""Linear attention in integers; ``docs/concepts/quantised_attention.md`` has its equations."""

from __future__ import annotations

from typing import Any

import torch
from brevitas.quant_tensor import IntQuantTensor, QuantTensor
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.kernels.attention_grid import fraction_bits, longest_run, mixed
from students.layers.grid import Grid
from students.layers.linear_attention import attended
from students.quantize.integers import output_grid_of
from students.quantize.modules import IntegerReLU, Requantise
from students.quantize.signals import bits_of, value_of
from students.quantize.weight_grid import ScaleKind


class Mixture(nn.Module):
    """Each step's weighted mean of the values: an integer times the values' step and a power of two."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.grids: tuple[Grid, Grid, Grid] | None = None

    @property
    def longest(self) -> int:
        """Steps after which both sums are halved."""
        query, key, value = self.seen
        return longest_run(self.width, (query.highest, key.highest, value.highest))

    @property
    def seen(self) -> tuple[Grid, Grid, Grid]:
        """Grids of queries, keys and values in the last call.

        Raises
        ------
        StudentError
            There was none.
        """
        if self.grids is None:
            raise StudentError(
                "the grids of linear attention are known once a signal has passed", where="linear attention",
                remedy="Run the model on some examples first",
            )
        return self.grids

    def held(self, steps: int | None) -> int:
        """Return how many steps both sums hold at most, of a recording of so many; None: of any length."""
        return self.longest if steps is None else min(steps, self.longest)

    def widths(self, steps: int | None) -> tuple[int, int, int]:
        """Return the widths of S, of z and of what S and the queries give, as `held` [bits]."""
        query, key, value = (one.highest for one in self.seen)
        held = self.held(steps)
        sums, totals = held * key * value, held * key
        return sums.bit_length() + 1, totals.bit_length(), (self.width * query * sums).bit_length() + 1

    @property
    def step(self) -> float:
        """What one integer of the result stands for, to the last bit of a float32."""
        value = self.seen[2]
        return value.scale * 2.0 ** -fraction_bits(value.bits)

    def forward(self, query: IntQuantTensor, key: IntQuantTensor, value: IntQuantTensor) -> Tensor:
        """Return the means, shape (batch, width, steps) of each operand, on no grid."""
        self.grids = _grid(query), _grid(key), _grid(value)
        with torch.no_grad():
            levels = [(one.value / one.scale).round().nan_to_num().double() for one in (query, key, value)]
            found = mixed(*levels, longest=self.longest, fraction=fraction_bits(self.grids[2].bits))
            exact = found.to(value.value.dtype) * self.step + (query.value + key.value + value.value) * 0.0
        if not torch.is_grad_enabled():
            return exact
        plain = attended(query.value, key.value, value.value)
        return plain + (exact - plain).detach()


def _grid(signal: IntQuantTensor) -> Grid:
    return Grid(bits_of(signal.bit_width), float(signal.scale.item()), bool(signal.signed))


class IntegerLinearAttention(nn.Module):
    """Causal attention without a softmax: queries and keys unsigned behind a ReLU, values and results signed.

    Parameters
    ----------
    width : int
    bits : int
        Of queries, keys, values and results.
    scale : str
    """

    def __init__(self, width: int, bits: int, scale: ScaleKind) -> None:
        super().__init__()
        self.width = width
        self.query, self.key = IntegerReLU(bits, scale), IntegerReLU(bits, scale)
        self.value, self.output = Requantise(bits, "signed", scale), Requantise(bits, "signed", scale)
        self.mixture = Mixture(width)

    @property
    def output_grid(self) -> Grid | None:
        """Grid of the results."""
        return output_grid_of(self.output)

    def parts(self, signal: Tensor | QuantTensor) -> tuple[Any, Any, Any]:
        """Return queries, keys and values on their grids, each of shape (batch, width, steps)."""
        query, key, value = value_of(signal).split(self.width, dim=1)
        return self.query(query), self.key(key), self.value(value)

    def forward(self, signal: Tensor | QuantTensor) -> Any:
        """Map queries, keys and values side by side, ``(batch, 3 width, steps)``, to ``(batch, width, steps)``."""
        return self.output(self.mixture(*self.parts(signal)))
