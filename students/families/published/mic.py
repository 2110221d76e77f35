"""MiC, the mimic-then-compress student of DLink (arXiv 2604.15016), in an implementable version of our own.

Read of it: a student inherits high-dimensional teacher features and then compresses them in space and time, so that
no heavy classifier sits on all patches. Widths, kernels and their order are not known. Here: spatial mixtures, one
temporal filter each, patches; a wide pointwise layer (`mimic`, which a method such as ``dlink`` compares with the
teacher's layer); then features, then time are compressed, and the classifier reads what is left.
"""

from __future__ import annotations

from collections import OrderedDict

from pydantic import Field
from torch import nn

from energy_models.errors import StudentError
from students.families.family import WINDOWS, Family, FamilyOptions
from students.layers import Layers
from students.spec import Float32, Quantised, Shape


class Options(FamilyOptions):
    """Widths and lengths.

    Parameters
    ----------
    width : int
        Spatial mixtures, with a temporal filter each.
    kernel_s, patch_s : float
        Length of the temporal filters and of one patch [s].
    wide : int
        Features of a patch where the teacher is mimicked.
    narrow : int
        Features of a patch after compression.
    patch_taps : int
        Patches that one filter of the compression over time sees.
    pool : int
        Patches averaged into one; windows with fewer are averaged whole.
    dropout : float
    """

    width: int = Field(default=16, ge=1)
    kernel_s: float = Field(default=0.25, gt=0)
    patch_s: float = Field(default=0.125, gt=0)
    wide: int = Field(default=64, ge=1)
    narrow: int = Field(default=8, ge=1)
    patch_taps: int = Field(default=4, ge=1)
    pool: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.25, ge=0, lt=1)


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return logits of a window: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window shorter than one patch.
    """
    rate_hz, width, narrow = shape.step_rate_hz, options.width, options.narrow
    taps = max(1, min(round(options.kernel_s * rate_hz), shape.steps))
    patch = max(1, round(options.patch_s * rate_hz))
    patches = shape.steps // patch
    if patches < 1:
        raise StudentError(f"{shape.steps} steps are fewer than one patch of {patch}", where="options of mic",
                           remedy="Choose a smaller patch_s or longer windows")
    pool = min(options.pool, patches)
    parts: OrderedDict[str, nn.Module] = OrderedDict(
        input=layers.quantise_input(),
        spatial=layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first"),
        spatial_grid=layers.requantise(),
        temporal=layers.depthwise_conv1d(width, taps, padding="same"),
        temporal_norm=layers.batchnorm(width),
        temporal_relu=layers.relu(),
        patches=layers.average_pool(patch),
        patch_dropout=layers.dropout(options.dropout),
        lift=layers.conv1d(width, options.wide, 1, padding=0, bias="none"),
        lift_norm=layers.batchnorm(options.wide),
        mimic=layers.relu(),
        compress=layers.conv1d(options.wide, narrow, 1, padding=0, bias="none"),
        compress_grid=layers.requantise(),
        over_time=layers.depthwise_conv1d(narrow, options.patch_taps, padding="same"),
        over_time_norm=layers.batchnorm(narrow),
        over_time_relu=layers.relu(),
        pool=layers.average_pool(pool),
        dropout=layers.dropout(options.dropout),
        flat=nn.Flatten(),
        classifier=layers.linear(narrow * (patches // pool), shape.outputs, edge="last"),
    )
    return nn.Sequential(parts)


FAMILY = Family(
    title="MiC",
    tasks=WINDOWS,
    forms=(Float32, Quantised),
    spiking=False,
    Options=Options,
    build=build,
)
