"""Distillation by a random projection of a teacher's features: a control for every projection that is fitted."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.training.distillation.method import LossSetting, Method
from students.training.distillation.methods.aligned import AlignedOptions, aligned_loss, aligned_needs, moments_of
from students.training.distillation.projections import LARGEST_WIDTH, random


class RandomProjectionOptions(AlignedOptions):
    """Options of `AlignedOptions`, and how many coordinates (`size`)."""

    size: int = Field(default=8, ge=1, le=LARGEST_WIDTH)


def _make(options: RandomProjectionOptions, setting: LossSetting) -> nn.Module:
    """Return ``(1 - weight) task + weight |A z_student - P^T (z - mean)|^2``, P Gaussian, drawn from the spec's seed.

    Distances survive such a projection (Johnson and Lindenstrauss 1984); that a student predicts it is a control of
    ours for `tskd` and `pca`.
    """
    found = moments_of(options, setting)
    return aligned_loss(options, setting, found, random(found, options.size))


METHOD = Method(
    title="Random projection of the teacher's features",
    reference="Control for BrainDistill's supervised projection, arXiv 2601.17625; Johnson and Lindenstrauss 1984",
    options=RandomProjectionOptions,
    needs=aligned_needs,
    make=_make,
)
