"""IND, the implantable decoder of BrainDistill (arXiv 2601.17625), in an implementable version of our own.

Read of it: wavelets of every channel, pooled to tokens, a linear map to 32 features, two layers of linear attention
with ReLU and no heads, the mean over tokens, one linear layer; about 30,000 weights. Here, of 64 channels, five
wavelets and four classes: 27,716, and a state of two times 32 x 33 words however long the signal.

Ours: real Morlet wavelets, rectified and averaged, for the magnitude of complex ones (half the products, no square
root); a batch norm behind each product for layer norms; attention over the past alone, which needs no positions and
can be run step by step; feed-forward width and wavelets' frequencies, which are not known. In a regression every step
is a token, the first filter is a low-pass, and coefficients keep their sign. The bank is fixed and counted with the
network. In integers both sums of attention have a fixed width (``docs/concepts/quantised_attention.md``).
"""

from __future__ import annotations

from collections import OrderedDict

from pydantic import Field
from torch import nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS_AND_STEPS, Family, FamilyOptions
from students.families.readout import MeanOverSteps, per_step
from students.layers import Layers, Residual
from students.layers.filter_shapes import wavelets
from students.spec import Float32, Quantised, Shape

LOWEST, HIGHEST = 1 / 50, 2 / 5
"""Centres of the first and last wavelet where none are given, as shares of the step rate."""


class Options(FamilyOptions):
    """Wavelets, tokens and widths.

    Parameters
    ----------
    wavelets : int
        Of every channel; centres rise by a constant factor.
    low_hz, high_hz : float
        First and last centre [Hz]; 0: a fiftieth and two fifths of the step rate.
    cycles : float
        Cycles in a wavelet's bell, fewer where `bank_s` has no room.
    bank_s : float
        Length of every filter [s].
    token_s : float
        Classification: length of a token [s].
    width, hidden, blocks : int
        Features of a token; of the two-layer network behind attention; layers.
    dropout : float
    """

    wavelets: int = Field(default=5, ge=1)
    low_hz: float = Field(default=0.0, ge=0)
    high_hz: float = Field(default=0.0, ge=0)
    cycles: float = Field(default=3.0, gt=0)
    bank_s: float = Field(default=0.5, gt=0)
    token_s: float = Field(default=0.05, gt=0)
    width: int = Field(default=32, ge=1)
    hidden: int = Field(default=64, ge=1)
    blocks: int = Field(default=2, ge=1, le=16)
    dropout: float = Field(default=0.1, ge=0, lt=1)


def centres_hz(options: Options, shape: Shape) -> list[float]:
    """Return the wavelets' centres [Hz]; in a regression the first is 0, a low-pass."""
    low = options.low_hz or LOWEST * shape.step_rate_hz
    high = options.high_hz or HIGHEST * shape.step_rate_hz
    first = [0.0] if shape.task == "regression" else []
    number = options.wavelets - len(first)
    rise = (high / low) ** (1 / (number - 1)) if number > 1 else 1.0
    return [*first, *(low * rise**place for place in range(number))]


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window, or a causal estimate per step.

    Raises
    ------
    StudentError
        A window shorter than one token, or centres that do not lie below half the step rate.
    """
    rate_hz = shape.step_rate_hz
    taps = max(1, min(round(options.bank_s * rate_hz), shape.steps))
    bank = wavelets(centres_hz(options, shape), options.cycles, taps, rate_hz)
    body: list[nn.Module] = [layers.quantise_input(), layers.filter_bank(shape.channels, bank, padding="causal")]
    if shape.task == "classification":
        token = max(1, round(options.token_s * rate_hz))
        if shape.steps < token:
            raise StudentError(f"{shape.steps} steps are fewer than one token of {token}", where="options of ind",
                               remedy="Choose a smaller token_s or longer windows")
        body += [layers.relu(), layers.average_pool(token)]
    else:
        body.append(layers.requantise())
    body += [
        layers.conv1d(shape.channels * options.wavelets, options.width, 1, padding=0, bias="none"),
        layers.batchnorm(options.width),
        *(part for _ in range(options.blocks) for part in _block(options, layers)),
    ]
    if shape.task == "regression":
        grid = layers.requantise()
        return per_step(body, options.width, shape, layers, warmup_steps=taps - 1, grid=grid)
    last = len(body)
    named = (  # the grid has a name of its own: layers keep the numbers by which stored students know them
        *((str(place), one) for place, one in enumerate(body)),
        (str(last), MeanOverSteps()),
        ("mean_grid", layers.requantise()),
        (str(last + 1), layers.linear(options.width, shape.outputs, edge="last")),
    )
    return nn.Sequential(OrderedDict(named))


def _block(options: Options, layers: Layers) -> tuple[nn.Module, nn.Module]:
    """Return attention, and a pointwise network of two layers, each added to its input."""
    width, hidden = options.width, options.hidden
    attention = _on_grid(
        layers.requantise(),
        layers.conv1d(width, 3 * width, 1, padding=0, bias="none"),
        layers.batchnorm(3 * width),
        layers.linear_attention(width),
        layers.conv1d(width, width, 1, padding=0, bias="none"),
        layers.batchnorm(width),
        layers.dropout(options.dropout),
    )
    pointwise = _on_grid(
        layers.requantise(),
        layers.conv1d(width, hidden, 1, padding=0, bias="none"),
        layers.batchnorm(hidden),
        layers.relu(),
        layers.conv1d(hidden, width, 1, padding=0, bias="none"),
        layers.batchnorm(width),
        layers.dropout(options.dropout),
    )
    return Residual(attention, nn.Identity(), layers.add()), Residual(pointwise, nn.Identity(), layers.add())


def _on_grid(grid: nn.Module, *parts: nn.Module) -> nn.Sequential:
    """Return modules behind what puts their input on its grid, which has a name so that they keep their numbers."""
    return nn.Sequential(OrderedDict([("grid", grid), *((str(place), one) for place, one in enumerate(parts))]))


FAMILY = Family(
    title="IND",
    tasks=WINDOWS_AND_STEPS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
