"""ShallowConvNet (Schirrmeister et al. 2017, Hum. Brain Mapp. 38:5391) in a ReLU form.

Departures from the paper: ReLU for the square and nothing for the logarithm, which integer hardware does not offer;
the temporal convolution and the spatial one that mixes all its filters are linear with nothing between, so they are
one convolution of all channels here, with fewer products than either order of the two.
"""

from __future__ import annotations

from pydantic import Field
from torch import nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS, Family, FamilyOptions
from students.layers import FusedSequential, Layers
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Width and lengths of ShallowConvNet.

    Parameters
    ----------
    filters : int
        Filters (the paper's 40).
    kernel_s, pool_s, stride_s : float
        Length of the filters, of the averages after them, and the distance between averages [s].
    dropout : float
    """

    filters: int = Field(default=16, ge=1)
    kernel_s: float = Field(default=0.1, gt=0)
    pool_s: float = Field(default=0.3, gt=0)
    stride_s: float = Field(default=0.06, gt=0)
    dropout: float = Field(default=0.5, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window shorter than one filter and one average.
    """
    taps, pool, stride = (
        max(1, round(length * shape.step_rate_hz)) for length in (options.kernel_s, options.pool_s, options.stride_s)
    )
    filtered = shape.steps - taps + 1
    if filtered < pool:
        raise StudentError(
            f"{shape.steps} steps are fewer than one filter and one average ({taps} + {pool} - 1)",
            where="options of shallow", remedy="Choose a smaller kernel_s or pool_s, or longer windows",
        )
    averages = (filtered - pool) // stride + 1
    return FusedSequential(
        layers.quantise_input(),
        layers.conv1d(shape.channels, options.filters, taps, padding=0, bias="none", edge="first"),
        layers.batchnorm(options.filters),
        layers.relu(),
        layers.average_pool(pool, stride),
        layers.dropout(options.dropout),
        nn.Flatten(),
        layers.linear(options.filters * averages, shape.outputs, edge="last"),
    )


FAMILY = Family(
    title="ShallowConvNet",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
