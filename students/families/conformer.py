"""A small EEG Conformer (after Song et al. 2023, IEEE TNSRE 31:710): a convolutional stem, then attention over tokens.

Departures from the paper: the stem is spatial-first and depthwise, with ReLU; batch norm after each product instead of
layer norm before it, so that every norm folds; the attention's 1/sqrt(head width) is folded into the query weights'
initial values; no separate multilayer classifier.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS, Family, FamilyOptions
from students.layers import Layers
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Width and depth of the Conformer.

    Parameters
    ----------
    width : int
        Features of a token.
    heads : int
        Attention heads; they divide the width.
    blocks : int
        Attention blocks.
    kernel_s, token_s : float
        Length of the temporal filters and of one token [s].
    dropout : float
    """

    width: int = Field(default=16, ge=1)
    heads: int = Field(default=2, ge=1)
    blocks: int = Field(default=1, ge=1)
    kernel_s: float = Field(default=0.25, gt=0)
    token_s: float = Field(default=0.125, gt=0)
    dropout: float = Field(default=0.25, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads} does not divide width = {self.width}")
        return self


class Attention(nn.Module):
    """Multi-head self-attention over steps, ``(batch, width, steps)`` to the same shape."""

    def __init__(self, width: int, heads: int, layers: Layers) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (layers.conv1d(width, width, 1, padding=0, bias="none") for _ in range(3))
        self.query.weight.data /= (width // heads) ** 0.5
        self.query_grid, self.key_grid, self.value_grid = (layers.requantise() for _ in range(3))
        self.scores, self.softmax, self.mixture = layers.matmul(), layers.softmax(), layers.matmul()
        self.out_grid = layers.requantise()
        self.out = layers.conv1d(width, width, 1, padding=0, bias="none")

    def forward(self, signal: Tensor) -> Tensor:
        """Return each step's mixture of all steps: ``out((softmax(q^T k) v^T)^T)``."""
        query, key, value = (
            product(signal).unflatten(1, (self.heads, -1)) for product in (self.query, self.key, self.value)
        )
        scores = self.scores(self.query_grid(query.transpose(-1, -2)), self.key_grid(key))
        mixed = self.mixture(self.softmax(scores), self.value_grid(value.transpose(-1, -2)))
        return self.out(self.out_grid(mixed.transpose(-1, -2).flatten(1, 2)))


class Block(nn.Module):
    """Attention, then a pointwise two-layer network, each added to its input."""

    def __init__(self, options: Options, layers: Layers) -> None:
        super().__init__()
        width = options.width
        self.attention = nn.Sequential(
            Attention(width, options.heads, layers), layers.batchnorm(width), layers.dropout(options.dropout)
        )
        self.pointwise = nn.Sequential(
            layers.conv1d(width, 2 * width, 1, padding=0, bias="none"),
            layers.batchnorm(2 * width),
            layers.relu(),
            layers.conv1d(2 * width, width, 1, padding=0, bias="none"),
            layers.batchnorm(width),
            layers.dropout(options.dropout),
        )
        self.add_attention, self.grid_attention = layers.add(), layers.requantise()
        self.add_pointwise, self.grid_pointwise = layers.add(), layers.requantise()

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, width, tokens)`` to the same shape."""
        signal = self.grid_attention(self.add_attention(signal, self.attention(signal)))
        return self.grid_pointwise(self.add_pointwise(signal, self.pointwise(signal)))


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window shorter than one token.
    """
    taps, token = (max(1, round(s * shape.step_rate_hz)) for s in (options.kernel_s, options.token_s))
    tokens = shape.steps // token
    if tokens < 1:
        raise StudentError(
            f"{shape.steps} steps are fewer than one token of {token}", where="options of conformer",
            remedy="Choose a smaller token_s or longer windows",
        )
    width = options.width
    named = (  # the grids have names of their own: layers keep the numbers by which stored students know them
        ("input_grid", layers.quantise_input()),
        ("0", layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first")),
        ("stem_grid", layers.requantise()),
        ("1", layers.depthwise_conv1d(width, min(taps, shape.steps), padding="same")),
        ("2", layers.batchnorm(width)),
        ("3", layers.relu()),
        ("4", layers.average_pool(token)),
        ("5", layers.dropout(options.dropout)),
        *((str(6 + place), Block(options, layers)) for place in range(options.blocks)),
        (str(6 + options.blocks), layers.average_pool(tokens, sign="signed")),
        (str(7 + options.blocks), nn.Flatten()),
        (str(8 + options.blocks), layers.linear(width, shape.outputs, edge="last")),
    )
    return nn.Sequential(OrderedDict(named))


FAMILY = Family(
    title="EEG Conformer",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
