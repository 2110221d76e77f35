"""The deep network for steady-state visual evoked potentials of Guney et al. 2022 (IEEE TBME 69:932).

Sub-bands of the signal, one weight a sub-band; spatial filters; a convolution of two steps and stride two; ReLU; a
convolution of ten steps; one linear layer. Behind its filter bank it has the paper's 414,283 weights for nine channels,
100 steps and 40 targets.

Departures: the paper's sub-bands come from infinite impulse response filters outside of the network, up to 90 Hz; here
they are finite ones, part of the network and counted with it, up to 0.45 of the step rate. The first weights are drawn
like all others; the paper starts the sub-bands' from one. There is no second training on a subject alone.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS, Family, FamilyOptions
from students.layers import ByFilter, Layers
from students.layers.filter_shapes import band_passes
from students.spec import Float32, Quantised, Shape

HIGHEST = 0.45
"""Upper edge of every sub-band, as a share of the step rate."""


class Options(FamilyOptions):
    """Sub-bands and widths.

    Parameters
    ----------
    subbands : int
        Band n begins at n times `low_hz`; 1: the signal as it comes, no filter.
    low_hz : float
        Where the first sub-band begins [Hz].
    bank_s : float
        Length of the filters [s].
    filters : int
        Spatial filters, and channels of both convolutions.
    taps : int
        Of the second convolution.
    dropout, last_dropout : float
        Behind the first two products, and before the linear layer.
    """

    subbands: int = Field(default=3, ge=1)
    low_hz: float = Field(default=8.0, gt=0)
    bank_s: float = Field(default=0.5, gt=0)
    filters: int = Field(default=120, ge=1)
    taps: int = Field(default=10, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    last_dropout: float = Field(default=0.95, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window of one step, or sub-bands that the step rate has no room for.
    """
    if shape.steps < 2:
        raise StudentError("a window of one step has no pair of steps", where="options of ssvep_dnn",
                           remedy="Choose longer windows")
    width = options.filters
    return nn.Sequential(
        layers.quantise_input(),
        *(_bank(options, shape, layers) if options.subbands > 1 else ()),
        layers.conv1d(shape.channels, width, 1, padding=0, edge="inner" if options.subbands > 1 else "first"),
        layers.requantise(),
        layers.dropout(options.dropout),
        layers.conv1d(width, width, 2, padding=0, stride=2),
        layers.relu(),
        layers.dropout(options.dropout),
        layers.conv1d(width, width, options.taps, padding="same"),
        layers.requantise(),
        layers.dropout(options.last_dropout),
        nn.Flatten(),
        layers.linear(width * (shape.steps // 2), shape.outputs, edge="last"),
    )


def _bank(options: Options, shape: Shape, layers: Layers) -> tuple[nn.Module, ...]:
    """Return the sub-bands of every channel, and their mixture with one weight a sub-band."""
    number, rate_hz = options.subbands, shape.step_rate_hz
    bands_hz = [(place * options.low_hz, HIGHEST * rate_hz) for place in range(1, number + 1)]
    taps = max(1, min(round(options.bank_s * rate_hz), shape.steps))
    return (
        layers.filter_bank(shape.channels, band_passes(bands_hz, taps, rate_hz), padding="same"),
        ByFilter(number),
        layers.requantise(),
        layers.linear(number, 1, bias="none"),
        nn.Flatten(2),
        layers.requantise(),
    )


FAMILY = Family(
    title="SSVEP DNN",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
