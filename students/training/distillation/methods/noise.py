"""Noise on the inputs: a control without a teacher, for what disturbed inputs do by themselves.

Inputs ``x + scale std n`` with n white and Gaussian, new in every epoch, and the labels' loss of each. Training with
noise is Bishop's (1995, Neural Computation 7(1):108); that its deviation follows each channel's, because channels
differ in unit, is ours.
"""

from __future__ import annotations

from pydantic import Field

from students.training.distillation.labels_only import LabelsOnly
from students.training.distillation.method import Method, MethodOptions, Needs
from students.training.views import Noise


class NoiseOptions(MethodOptions):
    """Standard deviation of the noise, over that of its channel in the batch."""

    scale: float = Field(default=0.1, ge=0)


METHOD = Method(
    title="Noise on the inputs (control)",
    reference="Bishop 1995, Neural Computation 7(1):108, section 1",
    options=NoiseOptions,
    needs=lambda options: Needs({}, view=Noise(options.scale)),
    make=lambda options, setting: LabelsOnly(),
)
