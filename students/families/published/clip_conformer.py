"""The student of DistilCLIP-EEG (arXiv 2510.13497), in an implementable version of our own.

Read of it: an EEG encoder of Conformer blocks (eight in the teacher, four in the student) with learnable prompts in
each, its output and a text encoder's projected to one space, trained by a symmetric cross-entropy over pairs and, the
student, a softened Kullback-Leibler term. The texts of K classes do not change once deployed, so the text encoder is a
table of K vectors: what runs is this encoder, one projection and norm, and K dot products.

Here the encoder is `students.families.conformer`'s; the table comes from a file, or is learned. The loss is the method
``kl`` with ``labels = "pairs"``; widths, number of prompts and the text encoder itself are not the paper's, whose 30.8
and 17.9 million weights no implant holds. Float32 only.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from energy_models.errors import StudentError
from students.families import conformer
from students.families.family import WINDOWS, Family
from students.families.readout import MeanOverSteps
from students.layers import Layers
from students.spec import Float32, Shape

LEARNED = "learned"
TEMPERATURE = 0.07
"""Where the temperature of similarities begins (Radford et al. 2021, arXiv 2103.00020)."""


class Options(conformer.Options):
    """Of the Conformer, with prompts and a table of class vectors.

    Parameters
    ----------
    blocks : int
    prompts : int
        Learnable tokens beside those of the signal, in each block.
    dimension : int
        Of the common space, where the table is learned.
    vectors : str
        ``learned``, or a text file with a line of numbers for each class, in class order, which stay as they are.
    """

    blocks: int = Field(default=4, ge=1, le=64)
    prompts: int = Field(default=4, ge=1)
    dimension: int = Field(default=32, ge=1)
    vectors: str = Field(default=LEARNED, min_length=1)

    @property
    def files(self) -> tuple[str, ...]:
        """Files that decide what is built."""
        return () if self.vectors == LEARNED else (self.vectors,)


class Prompted(nn.Module):
    """A block over its own learnable tokens and those of the signal, of which the latter are handed on."""

    def __init__(self, block: nn.Module, width: int, prompts: int) -> None:
        super().__init__()
        self.block = block
        self.prompts = nn.Parameter(torch.randn(width, prompts) / math.sqrt(width))

    def forward(self, signal: Tensor) -> Tensor:
        """Map ``(batch, width, tokens)`` to the same shape."""
        prompts = self.prompts.expand(len(signal), -1, -1)
        return self.block(torch.cat([prompts, signal], dim=2))[..., self.prompts.shape[1] :]


class CosineHead(nn.Module):
    """Similarities with a table of class vectors, ``y[k] = <x, c_k> / (|x| |c_k| T)``; T is learned.

    Parameters
    ----------
    table : Tensor, shape (classes, dimension)
    learned : {'learned', 'given'}
    """

    table: Tensor

    def __init__(self, table: Tensor, learned: str) -> None:
        super().__init__()
        if learned == LEARNED:
            self.table = nn.Parameter(table)
        else:
            self.register_buffer("table", table)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(TEMPERATURE)))

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(batch, dimension)`` to logits ``(batch, classes)``."""
        classes = functional.normalize(self.table, dim=1) * self.log_scale.exp()
        return functional.linear(functional.normalize(features, dim=1), classes)


def _table(options: Options, classes: int) -> Tensor:
    """Return the class vectors where training begins, or where they stay.

    Raises
    ------
    StudentError
        A file that holds no such table.
    """
    if options.vectors == LEARNED:
        return torch.randn(classes, options.dimension) / math.sqrt(options.dimension)
    try:
        found = torch.from_numpy(np.loadtxt(options.vectors, ndmin=2)).to(torch.float32)
    except (OSError, ValueError) as error:
        raise StudentError(f"cannot read class vectors ({error})", where=options.vectors,
                           remedy="Write one line of numbers for each class") from error  # fmt: skip
    if len(found) != classes or not bool(found.isfinite().all()) or not bool((found.norm(dim=1) > 0).all()):
        raise StudentError(
            f"{len(found)} class vectors, some of them perhaps zero or infinite; {classes} were expected",
            where=options.vectors, remedy="Write one line of finite numbers, not all zero, for each class",
        )
    return found


def build(options: Options, shape: Shape, layers: Layers) -> nn.Module:
    """Return similarities of a window with each class: ``(batch, channels, steps)`` to ``(batch, outputs)``.

    Raises
    ------
    StudentError
        A window shorter than one token, or a table that does not fit.
    """
    taps, token = (max(1, round(s * shape.step_rate_hz)) for s in (options.kernel_s, options.token_s))
    tokens, width = shape.steps // token, options.width
    if tokens < 1:
        raise StudentError(
            f"{shape.steps} steps are fewer than one token of {token}", where="options of clip_conformer",
            remedy="Choose a smaller token_s or longer windows",
        )
    table = _table(options, shape.outputs)
    return nn.Sequential(
        layers.conv1d(shape.channels, width, 1, padding=0, bias="none", edge="first"),
        layers.depthwise_conv1d(width, min(taps, shape.steps), padding="same"),
        layers.batchnorm(width),
        layers.relu(),
        layers.average_pool(token),
        layers.dropout(options.dropout),
        *(Prompted(conformer.Block(options, layers), width, options.prompts) for _ in range(options.blocks)),
        MeanOverSteps(),
        layers.linear(width, table.shape[1], bias="none", edge="last"),
        CosineHead(table, LEARNED if options.vectors == LEARNED else "given"),
    )


FAMILY = Family(
    title="CLIP Conformer",
    tasks=WINDOWS,
    forms=(Float32,),
    spiking=False,
    Options=Options,
    build=build,
)
