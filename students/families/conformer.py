"""A small EEG Conformer (after Song et al. 2023, IEEE TNSRE 31:710): a convolutional stem, then attention over tokens.

Departures from the paper: the stem is spatial-first and depthwise, with ReLU; batch norm after each product instead of
layer norm before it, so that every norm folds; the attention's 1/sqrt(head width) is folded into the query weights'
initial values; no separate multilayer classifier. Float32 only: the softmax has no integer form here.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS, Family, FamilyOptions
from students.layers import Layers
from students.spec import Float32, Shape


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
        self.scores, self.softmax, self.mixture = layers.matmul(), layers.softmax(), layers.matmul()
        self.out = layers.conv1d(width, width, 1, padding=0, bias="none")

    def forward(self, signal: Tensor) -> Tensor:
        """Return each step's mixture of all steps: ``out(v softmax(q^T k)^T)``."""
        query, key, value = (
            product(signal).unflatten(1, (self.heads, -1)) for product in (self.query, self.key, self.value)
        )
        weights = self.softmax(self.scores(query.transpose(-1, -2), key))
        return self.out(self.mixture(value, weights.transpose(-1, -2)).flatten(1, 2))


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
        self.add_attention, self.add_pointwise = layers.add(), layers.add()

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, width, tokens)`` to the same shape."""
        signal = self.add_attention(signal, self.attention(signal))
        return self.add_pointwise(signal, self.pointwise(signal))


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
    return nn.Sequential(
        layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first"),
        layers.depthwise_conv1d(width, min(taps, shape.steps), padding="same"),
        layers.batchnorm(width),
        layers.relu(),
        layers.average_pool(token),
        layers.dropout(options.dropout),
        *(Block(options, layers) for _ in range(options.blocks)),
        layers.average_pool(tokens),
        nn.Flatten(),
        layers.linear(width, shape.outputs, edge="last"),
    )


FAMILY = Family(
    title="EEG Conformer",
    tasks=WINDOWS,
    forms=(Float32,),
    spiking=False,
    Options=Options,
    build=build,
)
