"""Distillation by principal components of a teacher's features: what a projection without its task keeps."""

from __future__ import annotations

from pydantic import Field
from torch import nn

from students.training.distillation.method import LossSetting, Method
from students.training.distillation.methods.aligned import AlignedOptions, aligned_loss, aligned_needs, moments_of
from students.training.distillation.projections import LARGEST_WIDTH, principal


class PCAOptions(AlignedOptions):
    """Options of `AlignedOptions`, and how many components (`size`)."""

    size: int = Field(default=8, ge=1, le=LARGEST_WIDTH)


def _make(options: PCAOptions, setting: LossSetting) -> nn.Module:
    """Return ``(1 - weight) task + weight |A z_student - P^T (z - mean)|^2``, P the first `size` principal components.

    Components are Jolliffe's; that they are what a student predicts is a control of ours for `tskd`.
    """
    found = moments_of(options, setting)
    return aligned_loss(options, setting, found, principal(found, options.size))


METHOD = Method(
    title="Principal components of the teacher's features",
    reference="Control for BrainDistill's supervised projection, arXiv 2601.17625; Jolliffe 2002, chapter 2",
    options=PCAOptions,
    needs=aligned_needs,
    make=_make,
)
